import pytest

from data.scenes.discovery import discover
from data.scenes.inspection import describe, inspect
from tests.data.helpers import make, shared
from util.errors import UserError


def found(root, **options):
    result = discover(root, "test", **options)
    return (
        result.layout,
        result.roles,
        {item.name: [str(f.relative_to(root)) for f in item.files] for item in result.items},
    )


REAL = {
    "lytro": (20, "2 sources (A, B)"),
    "lytro3": (4, "3 sources (A, B, C)"),
    "tno14": (14, "2 sources (ir, vi)"),
    "tno25": (25, "2 sources (ir, vi)"),
    "roadscene": (50, "2 sources (ir, vi)"),
    "msrs20": (20, "2 sources (ir, vi)"),
    "llvip32": (32, "2 sources (ir, vi)"),
    "m3fd1": (1, "2 sources (ir, vi)"),
    "med8": (8, "2 sources (A, B)"),
    "med5": (1, "5 sources (ct, mr_gad, mr_pd, mr_t2, spect_tc)"),
    "med_ct_mr": (21, "2 sources (ct, mr)"),
    "med_pet_mr": (42, "2 sources (mr, pet)"),
    "med_spect_mr": (73, "2 sources (mr, spect)"),
    "mef": (6, "4 to 6 sources (scenes)"),
    "mef_pairs": (22, "2 sources (over, under)"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_sets_need_no_options(name):
    lines = describe(inspect(discover(shared("data", name), "test")))
    count, sources = REAL[name]
    assert lines[-1] == f"{count} items, {sources}"
    assert not any(line.startswith(("note", "skipped")) for line in lines)
    if name == "tno14":
        assert "size: 10 sizes from 256x256 to 632x496" in lines


M5 = [f"m_{i}" for i in "12345"]
LAYOUTS = {
    "letters": (["A/2.png", "A/10.jpg", "B/2.tif", "B/10.bmp"], "roles", ("A", "B"), ["2", "10"]),
    "ir before vi": (["Visible/x.png", "thermal/x.png"], "roles", ("ir", "vi"), ["x"]),
    "unknown folders": (["T9/case1.png", "flair/case1.png"], "roles", ("flair", "T9"), ["case1"]),
    "suffix repeats the folder": (["ir/1_ir.png", "vi/1_vis.png", "gt/1.png"], "roles", ("ir", "vi"), ["1"]),
    "folder named like a digit": ([f"{f}/{m}.png" for f in "12" for m in M5], "roles", ("1", "2"), M5),
    "stem in upper case": (["ir/A1.png", "vi/a1.png"], "roles", ("ir", "vi"), ["A1"]),
    "scenes": (["door/d1.png", "door/d2.png", "s/c1.png", "s/c2.png", "s/c10.png"], "scenes", (), ["door", "s"]),
    "one scene": (["house/1.png", "house/2.png"], "scenes", (), ["house"]),
    "scenes with roles": (["s1/vis.png", "s1/ir.png", "s2/ir.png", "s2/vis.jpg"], "scenes", ("ir", "vi"), ["s1", "s2"]),
    "scenes with suffixes": (["s/x_vi.png", "s/x_ir.png", "t/x_ir.png", "t/x_vi.png"], "scenes", ("ir", "vi"), [*"st"]),
    "suffix letters": (["l-1-A.jpg", "l-1-B.jpg", "l-2-a.jpg", "l-2-b.jpg"], "suffix", ("A", "B"), ["l-1", "l-2"]),
    "suffix words": (["Camp_IR.png", "Camp_Vis.png"], "suffix", ("ir", "vi"), ["Camp"]),
    "suffix digits": (["c01_1.tif", "c01_2.tif", "c02.1.tif", "c02 2.tif"], "suffix", ("1", "2"), ["c01", "c02"]),
    "suffix of two words": (["1_ct.tif", "1_mr_t2.tif", "1_mr_pd.tif"], "suffix", ("ct", "mr_pd", "mr_t2"), ["1"]),
    "numbered": ([f"img_{i:02d}.png" for i in (1, 2, 20)], "stacked", (), ["img_01", "img_02", "img_20"]),
    "numbered from one": ([f"img_{i}.png" for i in (1, 2, 10)], "stacked", (), ["img_1", "img_2", "img_10"]),
    "numbered from nought": ([f"img_{i}.png" for i in (0, 1, 2)], "stacked", (), ["img_0", "img_1", "img_2"]),
    "no separator": (["c01a.tif", "c01b.tif"], "stacked", (), ["c01a", "c01b"]),
    "stacked": (["x_stacked.png", "_stacked.png"], "stacked", (), ["_stacked", "x"]),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYOUTS)
def test_layouts(tmp_path, case):
    names, layout, roles, items = LAYOUTS[case]
    understood = found(make(tmp_path / "test", *names))
    assert understood[:2] == (layout, roles)
    assert list(understood[2]) == items
    assert discover(tmp_path, "test").problems == ()
    assert found(tmp_path / "test", layout=layout) == understood, "saying it changes nothing"


def test_order_of_files(tmp_path):
    make(tmp_path / "a", "vi/1.png", "ir/1.png", "ir/2.jpg", "vi/2.png")
    assert found(tmp_path / "a")[2] == {"1": ["ir/1.png", "vi/1.png"], "2": ["ir/2.jpg", "vi/2.png"]}
    assert found(tmp_path / "a", roles=("visible", "IR"))[1:] == (
        ("vi", "ir"),
        {"1": ["vi/1.png", "ir/1.png"], "2": ["vi/2.png", "ir/2.jpg"]},
    )
    make(tmp_path / "b", *[f"house/x{number}.png" for number in (10, 2, 1)])
    assert found(tmp_path / "b")[2] == {"house": ["house/x1.png", "house/x2.png", "house/x10.png"]}


AMBIGUOUS = {
    "one group of digits": ([f"img_{i}.png" for i in range(1, 7)], "--layout suffix .* or --layout stacked"),
    "few complete groups": (["a-A.png", "a-B.png", "b-A.png", "c.png"], "--layout suffix .* or --layout stacked"),
    "ordinals": (["x/1.png", "x/2.png", "y/1.png", "y/2.png"], "--layout roles .* or --layout scenes"),
    "unequal": (["x/1.png", "x/2.png", "y/1.png", "y/2.png", "y/3.png"], "--layout roles .* or --layout scenes"),
    "single letters": (["x/G.png", "x/H.png", "y/G.png", "y/H.png"], "--layout roles .* or --layout scenes"),
    "scenes of pairs": (
        [f"scene{i:02d}/{w}.png" for i in range(20) for w in ("short", "long")], "--layout roles .* or --layout scenes"
    ),
    "scenes with masks": (
        [f"scene{i}/{w}.png" for i in (1, 2) for w in ("ir", "vi", "mask")], "--layout roles .* or --layout scenes"
    ),
    "scenes with targets": (
        [f"scene{i}/{w}.png" for i in (1, 2) for w in ("frame1", "frame2", "frame3", "gt")], "roles .* or --layout sc"
    ),
    "roles before a number": (
        [f"Camp_{w}_{i}.png" for w in ("IR", "VIS") for i in "123"], "'Camp_IR' and 'Camp_VIS' .* roles ir and vi, but"
    ),
    "roles stuck to a number": (["IR1.png", "VIS1.png"], "'IR1' and 'VIS1' .*folders ir and vi.*--layout suffix or st"),
    "roles first": ([f"{w}_{i}.png" for w in ("ir", "vi") for i in (10, 11)], "'ir_10' and 'vi_10' have the roles"),
    "roles first, one digit": (["ir_1.png", "vi_1.png"], "'ir' and 'vi' have the roles"),
    "roles inside": (["10_ir_cut.png", "10_vi_cut.png"], "'10_ir_cut' and '10_vi_cut' have the roles ir and vi"),
    "small overlap": (["x/p.png", "x/q.png", "y/p.png", "y/r.png"], "--layout roles .* or --layout scenes"),
    "files and folders": (["a.png", "ir/a.png", "vi/a.png"], r"\(ir, vi\).*--layout stacked or suf.*roles or scenes"),
    "roles and something else": (["ir/a.png", "vi/a.png", "labels/a.png"], "labels.*--roles ir,vi"),
}  # fmt: skip


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_two_readings_are_asked_about(tmp_path, case):
    names, message = AMBIGUOUS[case]
    with pytest.raises(UserError, match=message):
        discover(make(tmp_path, *names), "test")


def test_saying_the_layout_or_the_roles_settles_it(tmp_path):
    digits = make(tmp_path / "digits", "img_1.png", "img_2.png")
    assert found(digits, layout="suffix")[1:] == (("1", "2"), {"img": ["img_1.png", "img_2.png"]})
    assert list(found(digits, layout="stacked")[2]) == ["img_1", "img_2"]
    assert found(digits, roles=("2", "1"))[1:] == (("2", "1"), {"img": ["img_2.png", "img_1.png"]})
    ordinals = make(tmp_path / "ordinals", "x/1.png", "x/2.png", "y/1.png", "y/2.png")
    assert list(found(ordinals, layout="roles")[2]) == ["1", "2"]
    assert list(found(ordinals, layout="scenes")[2]) == ["x", "y"]
    assert found(ordinals, roles=("y", "x"))[1:] == (
        ("y", "x"),
        {"1": ["y/1.png", "x/1.png"], "2": ["y/2.png", "x/2.png"]},
    )
    labels = make(tmp_path / "labels", "ir/a.png", "vi/a.png", "labels/a.png")
    assert found(labels, roles=("vi", "ir"))[1] == ("vi", "ir")
    sides = make(tmp_path / "sides", "a_left.png", "a_right.png")
    assert found(sides, roles=("left", "right"))[2] == {"a": ["a_left.png", "a_right.png"]}
    scenes = make(tmp_path / "scenes", "s1/ir.png", "s1/vi.png", "s1/depth.png", "s2/ir.png", "s2/vi.png")
    assert found(scenes, layout="scenes", roles=("vi", "ir"))[2]["s1"] == ["s1/vi.png", "s1/ir.png"]
    names = [f"s{i}/{i}{word}.png" for i in "12" for word in ("_infrared", "_visible", "_mask")]
    masks = make(tmp_path / "masks", *names, "s3/infrared.png", "s3/visible.png", "s3/mask.png")
    for options in ({"layout": "scenes"}, {}):
        chosen = found(masks, roles=("vi", "ir"), **options)
        assert chosen[:2] == ("scenes", ("vi", "ir"))
        assert chosen[2]["s1"] == ["s1/1_visible.png", "s1/1_infrared.png"]
        assert chosen[2]["s3"] == ["s3/visible.png", "s3/infrared.png"]
    inside = make(tmp_path / "inside", "IR1.png", "VIS1.png")
    assert list(found(inside, layout="stacked")[2]) == ["IR1", "VIS1"]


REFUSED = {
    "nothing": ([], {}, r"no images in .*expected role folders"),
    "deeper": (["x/y/a.png"], {}, r"no images in .*\(note: .*no images directly in x: not used\)"),
    "phases": (["train/a.png", "val/a.png"], {}, "holds the folders train, val: say with --phase"),
    "phases of roles": (["train/ir/a.png", "val/vi/a.png"], {}, "holds the folders train, val: .*as in --phase train"),
    "phase in upper case": (["Test/ir/a.png"], {}, "holds the folders Test: .*as in --phase Test"),
    "one role folder": (["ir/a.png"], {}, "folder ir of one role only"),
    "one role suffix": (["a_ir.png", "b_ir.png"], {}, "all images have the role ir"),
    "two of one role": (["ir/a.png", "thermal/a.png"], {}, r"thermal and .* ir are one role"),
    "two targets": (["A/a.png", "B/a.png", "gt/a.png", "reference/a.png"], {}, "gt and reference"),
    "one image each": (["x/a.png", "y/b.png"], {}, "one image each, of different names"),
    "a collection": ([f"x/{i}.png" for i in range(65)], {}, "65 images: say --layout scenes"),
    "unknown role": (["ir/a.png", "vi/a.png"], {"roles": ("ir", "ct")}, "no role ct; the folders .* are: ir, vi"),
    "unknown suffix": (["a_ir.png", "a_vi.png"], {"roles": ("ir", "ct")}, "no role ct; the files .* have: ir, vi"),
    "unknown scene role": (["s/ir.png", "s/vi.png"], {"roles": ("ir", "ct")}, "no role ct; the scenes .* have: ir, vi"),
    "role twice": (["ir/a.png", "vi/a.png"], {"roles": ("ir", "thermal")}, "names a role twice"),
    "one role": (["ir/a.png", "vi/a.png"], {"roles": ("ir",)}, "at least two roles"),
    "target as a source": (["ir/a.png", "gt/a.png"], {"roles": ("ir", "gt")}, "gt is the target"),
    "roles of panels": (["a.png"], {"roles": ("ir", "vi")}, "stacked panels are taken in the order they have"),
    "layout": (["a.png"], {"layout": "piled"}, "--layout 'piled' is not one of: auto, roles"),
    "no roles": (["a.png"], {"layout": "roles"}, "two or more folders of images in .*there are none"),
    "no scenes": (["a.png"], {"layout": "scenes"}, "no folder in"),
    "no suffix": (["a.png", "b.png"], {"layout": "suffix"}, "expected files in .* that differ in a last"),
    "no panels": (["ir/a.png", "vi/a.png"], {"layout": "stacked"}, "no images directly in"),
    "one name, two extensions": (["a.png", "a.jpg"], {}, "two items of one name, a"),
    "one name, two cases": (["S/1.png", "S/2.png", "s/1.png", "s/2.png"], {"layout": "scenes"}, "items of one name"),
    "folders in two cases": (
        [f"{s}/{i}.png" for s in ("Chair", "chair") for i in "abc"], {}, "Chair and chair, .*two items or roles of one"
    ),
    "results": (
        ["s/1.png", "s/2.png", "t/1.png", "t/2.png", "fused/s.png", "fused/t.png"], {}, "fused holds images named aft"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(tmp_path, case):
    names, options, message = REFUSED[case]
    with pytest.raises(UserError, match=message):
        discover(make(tmp_path, *names), "test", **options)


def test_no_such_folder(tmp_path):
    with pytest.raises(UserError, match=r"no such folder: .*none \(given by --dataroot\)"):
        discover(tmp_path / "none", "test")


PROBLEMS = {
    "role": (["ir/1.png", "ir/2.png", "vi/2.png"], ["2"], ["item 1: the vi image is missing beside {0}/ir/1.png"]),
    "unknown folders": (
        ["x/p1.png", "x/p2.png", "y/p1.png", "y/p2.png", "y/p3.png"], ["p1", "p2"], ["p3: the x image is missing"]
    ),
    "suffix": ([f"{i}-{s}.png" for i in "xyz" for s in "AB"][:-1], ["x", "y"], ["item z: the B image is missing"]),
    "stray": (["x_ir.png", "x_vi.png", "y_ir.png", "y_vi.png", "map.png"], ["x", "y"], ["map.png: has no suffix"]),
    "one more": ([f"{i}-{s}.png" for i in "xyz" for s in "AB"] + ["y-C.png"], ["x", "z"], ["y: has C besides A, B"]),
    "twice": (["A/1.png", "A/1.jpg", "B/1.png", "A/2.png", "B/2.png"], ["2"], ["1.jpg and 1.png are both role A"]),
    "scene": (["s/a1.png", "s/a2.png", "t/b1.png"], ["s"], ["item t: there is only"]),
    "scene without sources": (["s/a1.png", "s/a2.png", "t/gt.png"], ["s"], ["item t: it has no sources"]),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_samples_that_cannot_be_used_are_named(tmp_path, case):
    names, usable, problems = PROBLEMS[case]
    result = discover(make(tmp_path, *names), "test")
    assert [item.name for item in result.items] == usable
    assert len(result.problems) == len(problems)
    for line, expected in zip(result.problems, problems, strict=True):
        assert expected.format(tmp_path) in line
