"""The items of the folders that the fixture `folders` makes."""

from data.scenes.fused_items import find_fused, find_scenes


def find(folder, method="good", **options):
    """The items of a method."""
    scenes = find_scenes([folder / "ir", folder / "vi"], skip_bad=options.get("skip_bad", False))
    return find_fused(scenes, folder / method, **options)
