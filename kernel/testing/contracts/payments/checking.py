"""HTTP: what a voucher would do, and what a course costs with it, before anything is used."""

from __future__ import annotations

import msgspec

from kernel import new_id
from kernel.contracts.payments import Quote, VoucherOffer
from kernel.testing.contracts.payments.deployed import CHECK, QUOTE, REDEEM, DeployedPayments, fresh_key
from kernel.testing.contracts.payments.harness import PRICE, taken


class CheckingContract:
    """What every provider answers about codes that people typed."""

    async def test_check_is_what_the_service_says(self, harness: DeployedPayments) -> None:
        """The form that takes a code and the purchase see the same voucher; nothing is used."""
        person, course = harness.person(), await harness.offer(PRICE)
        code = await harness.voucher(kind="discount", percent=20, course_ids=(course,))
        assert person.user is not None

        for body in ({"code": code}, {"code": code.lower(), "course_id": str(course)}):
            answer = await person.call("POST", CHECK, body, expect=200)
            assert msgspec.convert(answer, VoucherOffer) == await harness.payments.check(person.user, code)

    async def test_quote_with_a_voucher_is_what_the_service_says(self, harness: DeployedPayments) -> None:
        """With a code and without one."""
        person, course = harness.person(), await harness.offer(PRICE)
        code = await harness.voucher(kind="discount", percent=20)
        assert person.user is not None

        with_code = await person.call("POST", QUOTE, {"course_id": str(course), "voucher": code}, expect=200)
        without = await person.call("POST", QUOTE, {"course_id": str(course)}, expect=200)

        assert msgspec.convert(with_code, Quote) == await harness.payments.quote(person.user, course, voucher=code)
        assert msgspec.convert(without, Quote) == await harness.payments.quote(person.user, course)
        assert (with_code["total"], without["total"]) == (taken(harness, 1200), taken(harness, PRICE))

    async def test_quote_takes_no_code_from_its_url(self, harness: DeployedPayments) -> None:
        """URLs stand in histories and logs, where codes, which are money, must not."""
        code, course = await harness.voucher(kind="discount", percent=20), await harness.offer(PRICE)

        await harness.person().call("GET", f"{QUOTE}?course_id={course}&voucher={code}", expect=422)

    async def test_code_that_can_not_be_used_is_refused_with_its_reason(self, harness: DeployedPayments) -> None:
        """The same problem and the same member wherever a code is typed."""
        person, course, other = harness.person(), await harness.offer(PRICE), await harness.offer(PRICE)
        bound = await harness.voucher(kind="enrol", course_ids=(other,))

        for code, reason in (("nothing", "unknown"), (bound, "other-course")):
            for path, body in ((CHECK, {"code": code}), (QUOTE, {"voucher": code})):
                problem = await person.call("POST", path, {**body, "course_id": str(course)}, expect=409)
                assert (problem["type"], problem["reason"]) == ("/problems/voucher-refused", reason), path

    async def test_redemption_of_what_is_no_top_up_says_what_it_is(self, harness: DeployedPayments) -> None:
        """Whoever typed the code in the wrong place is told in which course it belongs."""
        course = await harness.offer(PRICE)
        code = await harness.voucher(kind="enrol", course_ids=(course,))

        problem = await harness.person().call("POST", REDEEM, {"code": code}, expect=409, headers=fresh_key())

        assert (problem["type"], problem["reason"]) == ("/problems/voucher-refused", "needs-course")
        assert (problem["kind"], problem["course_ids"]) == ("enrol", [str(course)])

    async def test_quote_with_a_voucher_of_an_unknown_course_is_a_404(self, harness: DeployedPayments) -> None:
        """The same for a course that is not there and one that is not published."""
        code, draft = await harness.voucher(kind="discount", percent=20), await harness.offer(PRICE, status="draft")

        for course in (new_id(), draft):
            body = {"course_id": str(course), "voucher": code}
            problem = await harness.person().call("POST", QUOTE, body, expect=404)
            assert problem["type"] == "/problems/not-found"
