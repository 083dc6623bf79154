"""Published pictures made again: the same, or how they differ, or refused with the reason."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import synthetic
import torch
from PIL import Image, ImageSequence
from tiny_families import lora, merging
from tiny_pipelines import stable_diffusion, stable_diffusion_xl
from unchecked import unchecked

import sdexplore as sdx
from sdexplore.base.errors import PublishError, RunError
from sdexplore.model.runs.call import Call
from sdexplore.model.series.rerun import arguments_again

SLUG = "to-be-made-again"
CALL = {"num_inference_steps": 2, "height": 64, "width": 64}


@pytest.fixture(scope="module")
def pipe():
    return stable_diffusion()


@pytest.fixture(scope="module")
def published(tmp_path_factory, pipe):
    """A folder of pictures of tiny runs, and the traces."""
    root = tmp_path_factory.mktemp("site")
    trace = sdx.run(pipe, "a cat", seed=5, **CALL)
    other = sdx.run(pipe, "a dog", seed=5, **CALL)
    several = sdx.compare(pipe, "a cat", over={"guidance_scale": [1, 7.5]}, seed=1, **CALL)
    batch = sdx.run(pipe, "a cat", seed=9, num_images_per_prompt=2, **CALL)
    article = sdx.Article(SLUG, root=root)
    article.add(sdx.views.attention(trace, ["cat"], steps=slice(1, None)), key="view", theme="dark", width=300)
    with sdx.set_options(theme="dark"):
        article.add(trace, key="picture").add(sdx.animation(trace, "cat"), key="moving")
    article.add(sdx.views.attention_compare(trace, other, ["a"]), key="two")
    article.add(sdx.views.guidance(several), key="grid")
    article.add(batch[1], key="second")
    article.add(sdx.views.tokens(sdx.tokens(pipe, "a `cat`, it's")), key="tokens")
    article.add(Image.new("RGB", (4, 4)), key="own", alt="black")
    return root / "images" / SLUG


@pytest.mark.parametrize("number", range(1, 8))
def test_it_is_the_same_to_the_byte(published, pipe, number):
    scheduler = pipe.scheduler
    (file,) = (path for path in published.glob(f"00{number}.*") if path.suffix != ".json")
    made = sdx.reproduce(published / f"00{number}.json", pipe)
    assert made.same, made
    assert made.found[-1] == "The file is the same, to the byte."
    assert repr(made).startswith("The same picture.")
    assert sdx.reproduce(file, pipe).same  # by the picture's own name
    assert pipe.scheduler is scheduler


def test_an_animation_of_a_dark_page_is_made_again_also_where_its_sidecar_names_the_page_in_its_line_alone(
    published, pipe, tmp_path
):
    facts = json.loads((published / "003.json").read_text())
    assert (facts["key"], facts["theme"]) == ("moving", "dark")
    (tmp_path / "003.json").write_text(json.dumps(facts | {"theme": "light"}))
    assert sdx.reproduce(tmp_path / "003.json", pipe).same


def test_the_scheduler_is_the_one_it_had(tmp_path, pipe):
    several = sdx.compare(pipe, "a cat", over={"scheduler": ["Euler", "DDIM"]}, **CALL)
    sdx.Article(SLUG, root=tmp_path).add(several.traces[0], key="a")
    made = sdx.reproduce(tmp_path / "images" / SLUG / "001.json", pipe)
    assert made.same, made
    assert made.traces[0].provenance["scheduler"]["class"] == "EulerDiscreteScheduler"
    assert type(pipe.scheduler).__name__ == "PNDMScheduler"


def test_embeddings_must_be_given_and_the_same(tmp_path, pipe):
    embeds = torch.zeros(1, 77, 32)
    trace = sdx.run(pipe, prompt_embeds=embeds, guidance_scale=1.0, **CALL)
    sdx.Article(SLUG, root=tmp_path).add(trace, key="a")
    sidecar = tmp_path / "images" / SLUG / "001.json"
    with pytest.raises(RunError, match=r"was made with prompt_embeds=\{'tensor'.* give it as prompt_embeds="):
        sdx.reproduce(sidecar, pipe)
    with pytest.raises(RunError, match="the prompt_embeds given is not the one"):
        sdx.reproduce(sidecar, pipe, prompt_embeds=embeds + 1)
    assert sdx.reproduce(sidecar, pipe, prompt_embeds=embeds).same
    with pytest.raises(RunError, match="made without 'prompt_embed'; did you mean 'prompt_embeds'"):
        sdx.reproduce(sidecar, pipe, prompt_embeds=embeds, prompt_embed=embeds)


def changed(published, tmp_path, number=1, **facts):
    folder = tmp_path / "copy"
    shutil.copytree(published, folder, dirs_exist_ok=True)
    path = folder / f"00{number}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))
    return path


def test_other_numbers_and_pixels_are_told(published, tmp_path, pipe):
    traces = json.loads((published / "002.json").read_text())["traces"]
    traces[0]["call"]["seed"] = 6
    traces[0]["provenance"]["versions"]["torch"] = "1.0"
    made = sdx.reproduce(changed(published, tmp_path, 2, traces=traces), pipe)
    assert not made.same
    said = "\n".join(made.found)
    assert f"Trace {traces[0]['fingerprint']} came out as {made.traces[0].fingerprint}" in said
    assert "torch 1.0 then" in said
    assert "of the pixels differ, by " in said
    assert "Another picture." in made._repr_html_()


def with_pixels(published, tmp_path, change, number=2, **facts):
    """A copy of the folder in which the pixels of one picture are changed, and its sidecar tells of the new file."""
    path = changed(published, tmp_path, number, **facts)
    pixels = np.array(Image.open(path.with_suffix(".png")).convert("RGB"))
    Image.fromarray(change(pixels)).save(path.with_suffix(".png"))
    return changed_again(path, sha256=hashlib.sha256(path.with_suffix(".png").read_bytes()).hexdigest())


def a_few(by, share):
    """Changes that share of the values by so much."""

    def change(pixels):
        values = pixels.reshape(-1).astype(int)
        some = values[: round(share * len(values))]
        some += np.where(some < 128, by, -by)
        return values.reshape(pixels.shape).astype(np.uint8)

    return change


@pytest.mark.parametrize(
    ("by", "share", "verdict"), [(2, 0.0099, "rounding"), (2, 0.011, "other"), (3, 0.001, "other"), (0, 0.5, "same")]
)
def test_a_difference_in_the_last_digit_is_rounding(published, tmp_path, pipe, by, share, verdict):
    made = sdx.reproduce(with_pixels(published, tmp_path, a_few(by, share)), pipe)
    assert (made.verdict, made.same) == (verdict, verdict == "same")
    if by:
        assert f"by {by} of 255 at most" in made.found[-1]
        assert f"{round(share * 64 * 64 * 3) / (64 * 64 * 3):.2%} of the values" in made.found[-1]
    said = {"rounding": "up to rounding", "other": "Another picture", "same": "The same picture."}
    assert said[verdict] in repr(made)


@pytest.mark.parametrize(
    ("part", "name", "value", "verdict"),
    [
        ("versions", "torch", "1.0", "rounding"),
        ("provenance", "device", "cuda", "rounding"),
        ("provenance", "seconds", 99.0, "rounding"),
        ("provenance", "dtype", "float16", "other"),
        ("provenance", "model", "mini", "other"),
    ],
)
def test_rounding_is_all_that_threads_device_and_versions_may_explain(
    published, tmp_path, pipe, part, name, value, verdict
):
    traces = json.loads((published / "002.json").read_text())["traces"]
    provenance = traces[0]["provenance"]
    (provenance["versions"] if part == "versions" else provenance)[name] = value
    made = sdx.reproduce(with_pixels(published, tmp_path, a_few(1, 0.001), traces=traces), pipe)
    assert made.verdict == verdict
    assert any(f"{name} {value} then" in one for one in made.found) == (name != "seconds")


def test_every_frame_of_an_animation_counts(published, tmp_path, pipe):
    path = changed(published, tmp_path, 3)
    file = path.with_suffix(".webp")
    with Image.open(file) as image:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]
    frames[-1] = Image.new("RGB", frames[-1].size, "red")
    frames[0].save(file, save_all=True, append_images=frames[1:], lossless=True, duration=500)
    made = sdx.reproduce(changed_again(path, sha256=hashlib.sha256(file.read_bytes()).hexdigest()), pipe)
    assert made.verdict == "other"
    assert "of the pixels differ" in made.found[-1]


def test_a_file_that_is_no_picture_is_told(published, tmp_path, pipe):
    path = changed(published, tmp_path, 2)
    path.with_suffix(".png").write_bytes(b"nothing")
    made = sdx.reproduce(changed_again(path, sha256=hashlib.sha256(b"nothing").hexdigest()), pipe)
    assert made.verdict == "other"
    assert "cannot be opened" in made.found[-1]


def test_a_picture_that_was_changed_or_is_gone_is_told(published, tmp_path, pipe):
    path = changed(published, tmp_path, 2, sha256="0" * 64)
    assert "not the file that the sidecar tells of" in sdx.reproduce(path, pipe).found[-1]
    path.with_suffix(".png").unlink()
    assert "is not there to compare" in sdx.reproduce(path, pipe).found[-1]


def test_re_encoded_without_loss_it_is_the_same_picture(published, tmp_path, pipe):
    path = changed(published, tmp_path, 2)
    image = Image.open(path.with_suffix(".png"))
    np.testing.assert_array_equal(np.asarray(image).shape, (64, 64, 3))
    image.save(path.with_suffix(".png"), compress_level=0)
    digest = hashlib.sha256(path.with_suffix(".png").read_bytes()).hexdigest()
    made = sdx.reproduce(changed_again(path, sha256=digest), pipe)
    assert (made.same, made.found[-1]) == (True, "Every pixel is the same.")


def changed_again(path, **facts):
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))
    return path


def test_what_has_no_line_of_code_or_no_model_is_refused(published, pipe):
    with pytest.raises(PublishError, match="was given as an image or figure"):
        sdx.reproduce(published / "008.json", pipe)
    with pytest.raises(RunError, match=r"is 'unknown', which is neither 'mini' nor a hub id.* give pipe="):
        sdx.reproduce(published / "001.json")
    with pytest.raises(PublishError, match="reads a pipeline of which the sidecar tells nothing: give pipe="):
        sdx.reproduce(published / "007.json")
    with pytest.raises(PublishError, match="no sidecar at"):
        sdx.reproduce(published / "999.json")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("__import__('os').system('touch hacked')", "is not called from a sidecar"),
        ("sdx.load('mini')", "is not called from a sidecar"),
        ("sdx.views.attention(trace, [().__class__])", "not a literal, and nothing is run"),
        ("sdx.views.attention(trace, [trace for trace in [1]])", "not a literal, and nothing is run"),
        ("sdx.views.attention(trace, colour='red')", "cannot be called so"),
        ("sdx.views.attention(*trace)", r"no arguments by \*"),
        ("sdx.views.attention.__call__(trace)", "is not called from a sidecar"),
        ("sdx.views.attention(trace, other)", "does not hold 'trace'"),
        ("sdx.views.region(trace, mask)", "does not hold"),
        ("sdx.views.attention(trace", "line of code is not Python"),
        ("(" * 5000, "line of code is not Python"),
        ("open('x', 'w')", "is not called from a sidecar"),
        (
            "sdx.views.schedule(sdx.schedule(pipe_0), sdx.schedule(pipe_1))",
            r"2 models \(pipe_0, pipe_1\).*one pipeline",
        ),
    ],
)
def test_a_sidecar_is_data_and_runs_nothing(published, tmp_path, pipe, monkeypatch, code, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PublishError, match=said):
        sdx.reproduce(changed(published, tmp_path, 1, code=code), pipe)
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("kind", "look", "is a look at a picture, which the sidecar does not hold"),
        ("scheduler", {"class": "os.system", "config": {}}, "had scheduler 'os.system'"),
        ("scheduler", {"class": "AutoencoderKL", "config": {}}, "had scheduler 'AutoencoderKL'"),
        ("image", 5, "is said to be image 5 of 2"),
        ("arguments", {"generator": 3}, "give seed= instead"),
        ("arguments", {"height": {"object": "f"}}, "of which only that is kept"),
    ],
)
def test_a_run_that_cannot_be_made_again_is_refused(published, tmp_path, pipe, where, value, said):
    traces = json.loads((published / "006.json").read_text())["traces"]
    part = {"kind": traces[0], "scheduler": traces[0]["provenance"]}.get(where, traces[0]["call"])
    part[where] = value
    before = pipe.scheduler
    with pytest.raises(RunError, match=said):
        sdx.reproduce(changed(published, tmp_path, 6, traces=traces), pipe)
    assert pipe.scheduler is before


def test_a_bare_trace_is_told_where_the_sidecar_is(pipe):
    trace = synthetic.trace()
    with pytest.raises(PublishError, match=rf"reproduce\(Trace {trace.fingerprint}\).*Article.*trace\.call"):
        unchecked("reproduction.reproduction").reproduce(trace, pipe)


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"schema": 1}', '{"schema": 1, "code": "x", "traces": [{}], "over": null}']
)
def test_a_damaged_sidecar_is_refused(tmp_path, pipe, content):
    (tmp_path / "001.json").write_text(content)
    with pytest.raises(PublishError):
        sdx.reproduce(tmp_path / "001.json", pipe)


@pytest.mark.parametrize(
    "facts",
    [
        {"over": {"a": 3}},
        {"over": {"a": [1, 2, 3]}},
        {"over": {}},
        {"theme": "x"},
        {"theme": ["dark"]},
        {"alt": 3},
        {"code": 3},
        {"code": "sdx.views.attention(3)"},
    ],
)
def test_a_sidecar_with_a_damaged_fact_is_refused(published, tmp_path, pipe, facts):
    with pytest.raises(PublishError):
        sdx.reproduce(changed(published, tmp_path, 5, **facts), pipe)


def test_a_sidecar_without_its_line_of_code_is_refused(published, tmp_path, pipe):
    path = changed(published, tmp_path, 2)
    facts = json.loads(path.read_text())
    del facts["code"]
    path.write_text(json.dumps(facts))
    with pytest.raises(PublishError, match=r"'002\.json' is damaged: it does not say how"):
        sdx.reproduce(path, pipe)


def test_a_sidecar_with_a_damaged_trace_is_refused(published, tmp_path, pipe):
    for part, name in (("call", "record"), ("call", "arguments"), ("provenance", "scheduler")):
        traces = json.loads((published / "002.json").read_text())["traces"]
        traces[0][part][name] = 3
        with pytest.raises(PublishError, match="is damaged"):
            sdx.reproduce(changed(published, tmp_path, 2, traces=traces), pipe)


def test_sizes_come_back_as_tuples(tmp_path):
    larger = stable_diffusion_xl()
    sizes = {"original_size": (64, 48), "target_size": (64, 64), "crops_coords_top_left": (0, 8)}
    trace = sdx.run(larger, "a cat", **CALL, **sizes)
    sdx.Article(SLUG, root=tmp_path).add(trace, key="a")
    made = sdx.reproduce(tmp_path / "images" / SLUG / "001.json", larger)
    assert made.same, made


def published_under(tmp_path, pipe):
    """The sidecar of the picture of a run of this pipeline in its present state."""
    sdx.Article(SLUG, root=tmp_path).add(sdx.run(pipe, "a cat", seed=5, **CALL), key="a")
    return tmp_path / "images" / SLUG / "001.json"


def test_adapters_and_hooks_that_differ_are_named(tmp_path):
    pipe = stable_diffusion()
    lora(pipe)
    pipe.set_adapters("style", 0.5)
    sidecar = published_under(tmp_path, pipe)
    assert json.loads(sidecar.read_text())["traces"][0]["provenance"]["adapters"][0]["strength"] == 0.5
    assert sdx.reproduce(sidecar, pipe).same
    pipe.set_adapters("style", 2.0)
    hook = pipe.unet.mid_block.register_forward_hook(lambda _module, _given, output: output * 0.5)
    made = sdx.reproduce(sidecar, pipe)
    hook.remove()
    assert made.verdict == "other"
    said = "\n".join(made.found)
    assert "adapters style × 0.5 then, style × 2 now" in said
    assert "foreign.hooks [] then, ['unet.mid_block'] now" in said


def test_what_an_older_record_does_not_tell_of_is_named_too(tmp_path):
    pipe = stable_diffusion()
    sidecar = published_under(tmp_path, pipe)
    facts = json.loads(sidecar.read_text())
    for name in ("foreign", "adapters", "used"):
        del facts["traces"][0]["provenance"][name]
    sidecar.write_text(json.dumps(facts))
    assert sdx.reproduce(sidecar, pipe).same
    pipe.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    made = sdx.reproduce(sidecar, pipe)
    assert not made.same
    assert any("FreeU not recorded then, s1 0.9" in line for line in made.found)


def test_merging_by_lot_is_named_where_one_seed_gives_two_pictures(tmp_path):
    pipe = stable_diffusion()
    pipe.unet.get_submodule("mid_block.attentions.0.transformer_blocks.0").__class__ = merging("ToMeBlock", ratio=0.5)
    sidecar = published_under(tmp_path, pipe)
    assert "use_rand=False" in sidecar.read_text()
    with torch.no_grad():  # the lot fell otherwise
        pipe.unet.conv_in.bias += 0.5
    made = sdx.reproduce(sidecar, pipe)
    assert made.verdict == "other"
    assert any("use_rand=False" in line for line in made.found)


def test_another_number_of_threads_is_rounding(published, tmp_path, pipe):
    traces = json.loads((published / "002.json").read_text())["traces"]
    traces[0]["provenance"]["used"]["threads"] += 1
    made = sdx.reproduce(with_pixels(published, tmp_path, a_few(1, 0.005), traces=traces), pipe)
    assert made.verdict == "rounding"
    assert any(line.startswith("Otherwise: threads ") for line in made.found)
    traces[0]["provenance"]["used"]["attention_backend"] = "flash"
    made = sdx.reproduce(with_pixels(published, tmp_path, a_few(1, 0.005), traces=traces), pipe)
    assert made.verdict == "other"


def test_calls_of_published_runs_enter_into_their_fingerprints_as_then():
    folder = Path(__file__).parents[2] / "images"
    files = sorted(folder.rglob("[0-9]*.json"))
    sources = [source for path in files for source in json.loads(path.read_text())["traces"]]
    assert sources
    for source in sources:
        call = dict(source["call"])
        record = sdx.Record.from_json(call["record"])
        again = Call.of(call["prompt"], arguments_again(source, {}), seed=call["seed"], record=record)
        assert json.loads(json.dumps(again.facts())) == call
