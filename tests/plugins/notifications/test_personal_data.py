"""What notifications know of people is handed out and erased."""

from __future__ import annotations

from kernel.contracts.personal_data import PERSONAL_DATA, Subject
from kernel.testing.deploying import Deploy
from plugins.notifications.personal_data import NotificationsPersonalData
from tests.plugins.notifications.people import PATH, enrolled, mentioned, open_house, tray


async def test_words_of_somebody_go_from_what_others_were_told(deploy: Deploy) -> None:
    """And all that is the person's own."""
    house = await open_house(deploy)
    ada, bo = await house.person(), await house.person("bo@example.org", name="Bo")
    assert ada.user is not None
    assert bo.user is not None
    await house.tell(mentioned(bo.user, house.course(), author=ada.user, excerpt="my words"))
    await house.tell(enrolled(ada.user, house.course()))
    await ada.call("PUT", f"{PATH}/preferences/mention/mail", {"frequency": "never"})
    await ada.call("PUT", f"{PATH}/schedule", {"hour": 18})
    await ada.call("PUT", f"{PATH}/following/instructor:{bo.user}")
    ours = house.deployment.platform.context("notifications").own(NotificationsPersonalData)
    assert ours in house.deployment.platform.services.all(PERSONAL_DATA)
    subject = Subject(user_id=ada.user, email="ada@example.org")
    told = {one.name: one async for one in ours.export(subject)}
    assert set(told) == {*("contact.json", "preferences.json", "schedule.json", "following.json", "notices-1.json")}

    await ours.erase(subject)

    assert await tray(ada) == []
    assert [one async for one in ours.export(subject)] == []
    assert (await tray(bo))[0]["text"] == ""
    assert (await tray(bo))[0]["title"] == "Somebody mentioned you in Knots"
