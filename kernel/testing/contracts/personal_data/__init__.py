"""The kit of `personal_data/1`: copies by `CopiesContract`, erasures by `ErasuresContract`, both by the whole."""

from kernel.testing.contracts.personal_data.copies import CopiesContract
from kernel.testing.contracts.personal_data.erasures import ErasuresContract
from kernel.testing.contracts.personal_data.harness import PersonalDataHarness, Somebody, contributor_of, stranger

__all__ = ["PersonalDataContract", "PersonalDataHarness", "Somebody", "contributor_of", "stranger"]


class PersonalDataContract(CopiesContract, ErasuresContract):
    """Supply the fixture `harness`: a `PersonalDataHarness` of a plugin that knows nobody yet."""
