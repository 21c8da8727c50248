"""Contracts: one module for each capability, with its Protocol, values, errors and events, and no behaviour."""
