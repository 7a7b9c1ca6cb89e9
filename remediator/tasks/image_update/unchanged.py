"""Whether a service differs from its Compose files in nothing but its image: what is made anew then loses nothing."""

import tempfile
from pathlib import Path

from remediator.tasks.image_update import compose as composes
from remediator.tasks.image_update.images import Images
from remediator.tasks.image_update.look import Looked
from remediator.tasks.image_update.overrides import Overrides, Pin
from remediator.tasks.worker import in_thread


async def unchanged(looked: Looked, images: Images) -> str:
    """What Compose would change of these containers beside the image, in words; empty for nothing.

    Compose is asked with the image that runs. Where its tag means another one on this machine by now, as after
    `docker compose pull`, Compose would make it anew for that, and it is not asked. Raises UpkeeperError.

    looked: with its project.
    """
    member, project, written = looked.member, looked.project, looked.image
    assert project is not None
    everything = [*looked.members, *looked.sharers]
    for each in looked.sharers:
        here = await images.one(each.image)
        if here is None or here.id != each.image_id:
            return f"{each.image} of {each.state.name} is another image here than the one it runs"
    here = await images.one(member.image)
    if here is None or here.id != member.image_id:
        return ""
    pins = {name: pin for name, pin in project.pins.items() if name != member.service}
    if member.image != written:
        pins[member.service] = Pin(image=member.image, made_for=written)
    if not pins:
        return await project.compose.changes(everything, project.base, looked.scales)
    with tempfile.TemporaryDirectory(prefix="upkeeper-") as name:
        trial = Overrides(Path(name))
        await in_thread(lambda _: trial.write(pins, project.version))
        return await project.compose.changes(everything, composes.with_file(project.base, trial.file), looked.scales)
