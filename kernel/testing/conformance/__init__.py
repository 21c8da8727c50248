"""The rules of the house that every plugin keeps, ours or a stranger's.

`lyceum plugins check NAME` looks at all of them, and so does a test of one line, on both ends:

    async def test_plugin_keeps_the_rules_of_the_house(deploy: Deploy) -> None:
        await assert_conforms(deploy, "earlybird")
"""

from kernel.testing.conformance.asserting import assert_conforms
from kernel.testing.conformance.checking import check_plugin, write_schemas_of
from kernel.testing.conformance.verdicts import BROKEN, KEPT, NOT_CHECKED, Verdict

__all__ = ["BROKEN", "KEPT", "NOT_CHECKED", "Verdict", "assert_conforms", "check_plugin", "write_schemas_of"]
