"""Containment: what one plugin breaks stays with that plugin. Faults are counted, and too many close it for a while."""
