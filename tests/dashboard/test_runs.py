"""The dashboard without a browser: what it runs, stops and queues, and the code that it shows for it."""

import ipywidgets
import numpy as np
import pytest
from dashboards import PROMPT, Page, plain

import sdexplore as sdx
from sdexplore.dashboard.controls import close
from sdexplore.dashboard.history import MOST
from sdexplore.model.components.pipeline_lock import lock_of

WAITS = "waiting until the pipeline is free"


def stop_while_it_waits(pipe, explorer, start):
    """Starts what has to wait for its turn, and stops it meanwhile."""
    page = Page(explorer)
    with lock_of(pipe):
        start()
        page.wait_for(lambda: WAITS in f"{page.message} {page.section_message}")
        page.press("Stop")
        assert explorer.wait(60.0)


def run_of(page, pipe):
    """The trace that the code above the tabs makes."""
    scope = {"sdx": sdx, "pipe": pipe, "explorer": page.explorer}
    exec(page.code, scope)  # noqa: S102  (the line that is shown must be the truth)
    return scope["trace"]


def test_a_run_is_the_run_that_the_code_line_makes(tiny, explorer, page):
    explorer.state.update(seed=5, guidance_scale=4.0, negative_prompt="blue")
    trace = explorer.run(wait=True)
    again = run_of(page, tiny)
    assert again.call["arguments"] == trace.call["arguments"]
    assert np.array_equal(again.image, trace.image)
    assert page.message.startswith("Done in")
    assert explorer.history.traces == [trace]


def test_the_scheduler_is_for_one_run_alone_and_so_says_the_code(tiny, explorer, page):
    own = tiny.scheduler
    explorer.state.scheduler = "Euler"
    trace = explorer.run(wait=True)
    assert trace.provenance["scheduler"]["class"] == "EulerDiscreteScheduler"
    assert tiny.scheduler is own
    assert np.array_equal(run_of(page, tiny).image, trace.image)


def test_an_empty_negative_prompt_and_the_usual_size_are_not_passed(explorer):
    trace = explorer.run(wait=True)
    assert set(trace.call["arguments"]) == {"num_inference_steps", "guidance_scale"}


def test_an_error_of_a_run_is_said_and_the_next_run_works(explorer, page):
    seen = []
    page.caption_box.observe(lambda change: seen.append(plain(change["new"])), "value")
    explorer.run(wait=True)
    assert seen == ["under way: seed 0 · a cat and a dog", "seed 0 · a cat and a dog"]
    picture = page.picture
    explorer.state.scheduler = "Eulerr"
    with pytest.raises(sdx.LoadError, match="Eulerr"):
        explorer.run(wait=True)
    assert "Eulerr" in page.alerts[0]
    assert "Eulerr" in page.message
    assert (page.caption, page.picture) == ("seed 0 · a cat and a dog", picture)
    explorer.state.scheduler = ""
    assert explorer.run(wait=True) is not None
    assert page.message.startswith("Done")
    assert page.alerts == []


def test_stop_keeps_the_steps_and_decodes_nothing(explorer, page):
    explorer.state.num_inference_steps = 50
    before = page.picture
    page.press("Run")
    page.wait_for(lambda: page.steps_done >= 2 and page.picture != before)
    page.press("Stop")
    assert explorer.wait(60.0)
    assert page.find("Stop").disabled
    trace = explorer.trace
    assert 2 <= trace.num_steps < 50
    assert trace.image is None
    assert not trace.decoded
    count = trace.num_steps  # of 51: PNDM takes one twice
    assert f"{count} of 51 steps" in page.message
    assert f"stopped after {count} steps" in page.caption
    line, comment = page.code.splitlines()[0].split("  # ")
    assert "num_inference_steps=50" in line
    assert f"trace {trace.fingerprint}" in comment
    assert f"stopped after {count}" in comment
    page.open("Denoising")
    assert page.section_message == ""
    assert explorer.snapshot()


def test_a_stopped_run_of_two_images_keeps_both(tiny):
    explorer = sdx.explore(tiny, prompt=PROMPT, num_inference_steps=50, num_images_per_prompt=2)
    page = Page(explorer)
    explorer.run()
    page.wait_for(lambda: page.steps_done)
    explorer.stop()
    assert explorer.wait(60.0)
    assert "stopped" in page.message
    assert [trace.call["image"] for trace in explorer.history.traces] == [0, 1]
    assert explorer.trace is explorer.history.traces[0]
    explorer.close()


def test_within_a_dashboard_the_newest_request_wins(explorer):
    explorer.state.update(num_inference_steps=40, seed=1)
    explorer.run()
    explorer.state.seed = 2
    explorer.run()
    explorer.state.update(num_inference_steps=2, seed=3)
    trace = explorer.run(wait=True)
    assert trace.call["seed"] == 3
    assert [one.call["seed"] for one in explorer.history.traces] == [3]


def test_closing_in_the_middle_of_a_run_keeps_nothing(tiny):
    explorer = sdx.explore(tiny, prompt=PROMPT, num_inference_steps=50)
    page = Page(explorer)
    explorer.run()
    page.wait_for(lambda: page.steps_done)
    explorer.close()
    assert explorer.wait(60.0)
    assert explorer.history.traces == []
    assert explorer.trace is None


def test_stop_is_heard_while_a_comparison_waits_and_the_bar_comes_back(tiny, explorer, page):
    tiny.set_progress_bar_config(disable=False)
    page.open("Compare")
    stop_while_it_waits(tiny, explorer, lambda: page.press("Compare"))
    assert "stopped" in page.section_message
    assert not tiny.progress_bar(total=1).disable


def test_off_and_on_uses_the_scheduler_that_is_set(explorer, page):
    explorer.state.scheduler = "Euler"
    page.open("Guidance").press("Off and on")
    explorer.wait(60.0)
    assert "Euler" in page.figure_code


def test_what_is_shown_and_the_code_beneath_it_agree(tiny, explorer, page):
    first = explorer.run(wait=True)
    explorer.state.update(prompt="a tree", seed=9)
    assert "'a cat and a dog', seed=0" in page.code  # the run that is shown, not the next one
    second = explorer.run(wait=True)
    explorer.show(first)
    assert run_of(page, tiny).fingerprint == first.fingerprint != second.fingerprint
    explorer.state.update(section="Attention", words=("cat",))
    line = page.code.splitlines()[1]
    explorer.state.words = ()
    exec(line, {"explorer": explorer})  # noqa: S102
    assert explorer.state.words == ("cat",)


def test_long_prompts_stay_whole_in_the_line_of_code(tiny):
    explorer = sdx.explore(tiny, prompt=PROMPT, negative_prompt="blue, " * 60, num_inference_steps=1)
    page = Page(explorer)
    compile(page.code, "the line", "exec")
    explorer.run(wait=True)
    compile(page.code, "the line", "exec")
    assert "blue, " * 59 in page.code
    explorer.state.prompt = "a cat and a dog, " * 20
    explorer.run(wait=True)
    assert "-webkit-line-clamp:2" in page.caption_box.value
    assert f'title="seed 0 · {"a cat and a dog, " * 20}"' in page.caption_box.value
    explorer.close()


def test_two_dashboards_of_one_pipeline_queue(tiny, explorer, page):
    other = sdx.explore(tiny, prompt="a tree", num_inference_steps=2)
    with lock_of(tiny):
        for one in (page, Page(other)):
            one.press("Run")
            one.wait_for(lambda one=one: WAITS in one.message)
    assert explorer.wait(60.0)
    assert other.wait(60.0)
    assert explorer.trace.prompt == PROMPT
    assert other.trace.prompt == "a tree"
    other.close()


def test_one_that_waits_can_be_stopped(tiny, explorer, page):
    stop_while_it_waits(tiny, explorer, explorer.run)
    assert explorer.trace is None
    assert "stopped" in page.message
    assert page.steps_done == 0


def test_one_that_waits_claims_not_to_run_and_leaves_no_word_of_it(tiny, explorer, page):
    before = page.caption
    with lock_of(tiny):
        page.press("Run")
        page.wait_for(lambda: WAITS in page.message)
        waiting = {page.open(title).section_message for title in ("Pixels", "Attention")}
        said = page.caption
        page.press("Stop")
        assert explorer.wait(60.0)
    assert said == before
    assert len(waiting) == 1
    assert "press Run" not in waiting.pop()
    assert "press Run" in page.open("Pixels").section_message
    assert page.caption == before
    assert "waiting" not in page.message


def test_the_progress_bar_of_the_pipeline_is_off_meanwhile_and_as_before_afterwards(tiny, explorer, capfd):
    tiny.set_progress_bar_config(disable=False, desc="mine")
    explorer.run(wait=True)
    assert "mine" not in capfd.readouterr().err
    bar = tiny.progress_bar(total=1)
    assert (bar.disable, bar.desc.removesuffix(": ")) == (False, "mine")


def test_the_last_runs_stay_in_reach_and_older_ones_are_let_go(explorer, page):
    explorer.state.num_inference_steps = 1
    for seed in range(MOST + 1):
        explorer.state.seed = seed
        explorer.run(wait=True)
    assert [trace.call["seed"] for trace in explorer.history.traces] == list(range(MOST, 0, -1))
    page.runs[1].click()
    assert explorer.trace.call["seed"] == MOST - 1
    assert f"run {MOST}: seed {MOST - 1}" in page.message
    assert f"{MOST} runs kept" in page.heading


def test_runs_of_one_seed_are_told_apart(explorer, page):
    for change in ({"guidance_scale": 3.0}, {"scheduler": "Euler"}, {}):
        explorer.state.update(num_inference_steps=1, **change)
        explorer.run(wait=True)
    assert [one.description for one in page.runs] == ["3: seed 0", "2: seed 0", "1: seed 0"]
    assert "1 step · guidance_scale 3 · EulerDiscrete · 64 × 64 · a cat and a dog" in page.runs[0].tooltip
    assert "· PNDM ·" in page.runs[2].tooltip
    names = [name for name, _ in page.open("Compare").find("a").options]
    assert len(set(names)) == 4
    assert [name[:9] for name in names[1:]] == ["3: seed 0", "2: seed 0", "1: seed 0"]
    assert [name.partition(" · ")[2] for name in names[1:]] == ["EulerDiscrete", "EulerDiscrete", "PNDM"]  # no more


def test_guidance_off_and_on_and_a_comparison_are_run_from_the_dashboard(explorer, page):
    explorer.run(wait=True)
    page.open("Guidance").press("Off and on")
    explorer.wait(60.0)
    off, on = [trace.call["arguments"]["guidance_scale"] for trace in reversed(explorer.history.traces[:2])]
    assert (off, on) == (1.0, explorer.trace.call["arguments"]["guidance_scale"])
    assert [button.description for button in page.runs] == [
        f"3: guidance_scale {on}",
        "2: guidance_scale 1.0",
        "1: seed 0",
    ]
    assert page.figure_code.count("sdx.views.guidance(") == 2
    assert page.section_message == "Compared 2 runs over guidance_scale."
    page.runs[-1].click()  # a run that is none of the two
    assert page.figure_code.count("sdx.views.guidance(") == 1
    assert page.section_message == ""  # nothing is said of runs that are not shown
    page.runs[0].click()
    assert page.figure_code.count("sdx.views.guidance(") == 2
    page.open("Compare")
    page.set("over", "seed")
    page.set("values", "4, 5, 6")
    page.press("Compare")
    explorer.wait(60.0)
    assert page.section_message == "Compared 3 runs over seed."
    assert page.has_figure
    assert len(explorer.figure().data) == 3
    assert [trace.call["seed"] for trace in explorer.history.traces[:3]] == [6, 5, 4]
    assert explorer.trace is explorer.history.traces[0]
    page.set("values", "four, 5")
    page.press("Compare")
    assert "'four'" in page.section_message
    assert "0, 1, 2" in page.section_message


def test_what_is_said_of_the_work_may_take_two_lines_and_is_escaped():
    from sdexplore.dashboard.progress import Status

    status = Status()
    status.say("tracing <UNet> for 2 × 4 × 32 × 32 with the maps of 16 layers …")
    text = status.widget.children[1]
    assert isinstance(text, ipywidgets.HTML)  # a Label would cut it off
    assert "&lt;UNet&gt; for 2 × 4 × 32 × 32 with the maps of 16 layers …" in text.value
    status.reach(2, 8)
    assert "step 2 of 8 · " in status.plain
    close(status.widget)


def test_the_bar_is_full_when_the_picture_is_there_and_not_before(explorer, page):
    seen = []

    def look(_):
        seen.append((page.message, page.bar.value / page.bar.max, page.picture))

    explorer.board.status.widget.children[1].observe(look, "value")
    explorer.run(wait=True)
    final = page.picture
    said = [text for text, _, _ in seen]
    last = next(number for number, text in enumerate(said) if "decoding the picture" in text)
    assert any(text.startswith("step 4 of 4") for text in said[:last])  # PNDM makes one step twice
    assert all(share < 1 and picture != final for _, share, picture in seen[: last + 1])
    done = [(share, picture) for text, share, picture in seen if "Done" in text]
    assert done
    assert all(share == 1 and picture == final for share, picture in done)
    assert any("drawing Pixels" in text for text in said)
    assert page.message.startswith("Done")
    assert "drawing" not in page.message


def test_a_run_that_is_looked_at_meanwhile_keeps_its_picture_and_caption(tiny, explorer, page):
    first = explorer.run(wait=True)
    picture, caption, shown = page.picture, page.caption, []
    real = type(tiny.scheduler).step

    def watched(self, *given, **options):
        explorer.show(first)
        shown.append((page.picture, page.caption))
        return real(self, *given, **options)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(tiny.scheduler), "step", watched)
        explorer.state.seed = 1
        explorer.run(wait=True)
    assert shown[1:] == [(picture, caption)] * (len(shown) - 1)
    assert page.caption.startswith("seed 1")
