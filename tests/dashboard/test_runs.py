"""The dashboard without a browser: what it runs, stops and queues, and the code that it shows for it."""

import threading

import ipywidgets
import numpy as np
import pytest
from dashboards import PROMPT, section

import sdexplore as sdx
from sdexplore.dashboard.controls import close
from sdexplore.dashboard.history import MOST
from sdexplore.model.components.pipeline_lock import lock_of


def stop_while_it_waits(pipe, explorer, start):
    """Starts what has to wait for its turn, and stops it meanwhile."""
    with lock_of(pipe):
        start()
        while len(lock_of(pipe)._queue) < 2:
            explorer.wait(0.01)
        explorer.stop()
        assert explorer.wait(60.0)


def test_a_run_is_the_run_that_the_code_line_makes(tiny, explorer):
    explorer.state.update(seed=5, guidance_scale=4.0, negative_prompt="blue")
    trace = explorer.run(wait=True)
    scope = {"sdx": sdx, "pipe": tiny, "explorer": explorer}
    exec(explorer._code.code, scope)  # noqa: S102  (the line that is shown must be the truth)
    assert scope["trace"].call["arguments"] == trace.call["arguments"]
    assert np.array_equal(scope["trace"].image, trace.image)
    assert explorer.board.message.plain.startswith("Done in")
    assert explorer.history.traces == [trace]


def test_the_scheduler_is_for_one_run_alone_and_so_says_the_code(tiny, explorer):
    own = tiny.scheduler
    explorer.state.scheduler = "Euler"
    trace = explorer.run(wait=True)
    assert trace.provenance["scheduler"]["class"] == "EulerDiscreteScheduler"
    assert tiny.scheduler is own
    scope = {"sdx": sdx, "pipe": tiny, "explorer": explorer}
    exec(explorer._code.code, scope)  # noqa: S102
    assert np.array_equal(scope["trace"].image, trace.image)


def test_an_empty_negative_prompt_and_the_usual_size_are_not_passed(explorer):
    trace = explorer.run(wait=True)
    assert set(trace.call["arguments"]) == {"num_inference_steps", "guidance_scale"}


def test_an_error_of_a_run_is_said_and_the_next_run_works(explorer):
    seen, say = [], explorer._latest.caption.say
    explorer._latest.caption.say = lambda text: (seen.append(text), say(text))
    explorer.run(wait=True)
    assert seen == ["under way: seed 0 · a cat and a dog", "seed 0 · a cat and a dog"]
    picture = explorer._latest.picture.value
    explorer.state.scheduler = "Eulerr"
    with pytest.raises(sdx.LoadError, match="Eulerr"):
        explorer.run(wait=True)
    assert "Eulerr" in explorer.board.message.plain
    assert 'role="alert"' in explorer.board.message.widget.value
    assert (seen[-1], explorer._latest.picture.value) == ("seed 0 · a cat and a dog", picture)
    explorer.state.scheduler = ""
    assert explorer.run(wait=True) is not None
    assert explorer.board.message.plain.startswith("Done")


def test_stop_keeps_the_steps_and_decodes_nothing(explorer):
    explorer.state.num_inference_steps = 50
    reached = threading.Event()
    preview = explorer._preview

    def watched(progress):
        preview(progress)
        if progress.step >= 1:
            reached.set()

    explorer._preview = watched
    before = explorer._latest.picture.value
    explorer.run()
    assert reached.wait(60.0)
    assert explorer._latest.picture.value != before
    assert not explorer._controls._stop.disabled
    explorer.stop()
    assert explorer.wait(60.0)
    assert explorer._controls._stop.disabled
    trace = explorer.trace
    assert 2 <= trace.num_steps < 50
    assert trace.image is None
    assert not trace.decoded
    count = trace.num_steps  # of 51: PNDM takes one twice
    assert f"stopped after {count} of 51 steps; .trace holds what was recorded" in explorer.board.message.plain
    assert "step" not in explorer.board.bar._text.value  # it was last told of a step before
    assert f"stopped after {count} steps" in explorer._latest.caption.plain
    line, comment = explorer._code.code.splitlines()[0].split("  # ")
    assert "num_inference_steps=50" in line
    assert comment == f"does all steps; trace {trace.fingerprint}, which is shown, was stopped after {count}"
    assert section(explorer, "Denoising").message.plain == ""
    assert explorer.snapshot()


def test_a_stopped_run_of_two_images_keeps_both(tiny):
    explorer = sdx.explore(tiny, prompt=PROMPT, num_inference_steps=50, num_images_per_prompt=2)
    explorer.run()
    while not explorer.board.bar._bar.value:
        explorer.wait(0.01)
    explorer.stop()
    assert explorer.wait(60.0)
    assert explorer.board.message.plain.startswith("stopped after ")
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
    explorer.run()
    while not explorer.board.bar._bar.value:
        explorer.wait(0.01)
    history, worker = explorer.history, explorer.board.worker
    explorer.close()
    assert worker.wait(60.0)
    explorer.board.main.flush()
    assert history.traces == []
    assert explorer.board.trace is None


def test_stop_is_heard_while_a_comparison_waits_and_the_bar_comes_back(tiny, explorer):
    tiny.set_progress_bar_config(disable=False)
    compare = section(explorer, "Compare")
    stop_while_it_waits(tiny, explorer, compare.compare)
    assert "nothing was run" in explorer.board.message.plain
    assert tiny._progress_bar_config == {"disable": False}


def test_off_and_on_uses_the_scheduler_that_is_set(explorer):
    explorer.state.scheduler = "Euler"
    section(explorer, "Guidance").compare()
    explorer.wait(60.0)
    facts = explorer._sections["Guidance"]._both.picture
    assert "EulerDiscrete" in facts.figure.get_suptitle() or "Euler" in facts.call


def test_what_is_shown_and_the_code_beneath_it_agree(tiny, explorer):
    first = explorer.run(wait=True)
    explorer.state.update(prompt="a tree", seed=9)
    assert "'a cat and a dog', seed=0" in explorer._code.code  # the run that is shown, not the next one
    second = explorer.run(wait=True)
    explorer.show(first)
    scope = {"sdx": sdx, "pipe": tiny, "explorer": explorer}
    exec(explorer._code.code.splitlines()[0], scope)  # noqa: S102
    assert scope["trace"].fingerprint == first.fingerprint != second.fingerprint
    explorer.state.update(section="Attention", words=("cat",))
    exec(explorer._code.code.splitlines()[1], {"explorer": explorer})  # noqa: S102
    assert explorer.state.words == ("cat",)


def test_long_prompts_stay_whole_in_the_line_of_code(tiny):
    explorer = sdx.explore(tiny, prompt=PROMPT, negative_prompt="blue, " * 60, num_inference_steps=1)
    compile(explorer._code.code, "the line", "exec")
    explorer.run(wait=True)
    compile(explorer._code.code, "the line", "exec")
    assert "blue, " * 59 in explorer._code.code
    explorer.state.prompt = "a cat and a dog, " * 20
    explorer.run(wait=True)
    caption = explorer._latest.caption.widget.value
    assert "-webkit-line-clamp:2" in caption
    assert f'title="seed 0 · {"a cat and a dog, " * 20}"' in caption
    explorer.close()


def test_two_dashboards_of_one_pipeline_queue_in_order(tiny, explorer):
    other = sdx.explore(tiny, prompt="a tree", num_inference_steps=2)
    with lock_of(tiny):
        explorer.run()
        while len(lock_of(tiny)._queue) < 2:
            explorer.wait(0.01)
        other.run()
        while len(lock_of(tiny)._queue) < 3:
            other.wait(0.01)
    assert explorer.wait(60.0)
    assert other.wait(60.0)
    assert explorer.trace.prompt == PROMPT
    assert other.trace.prompt == "a tree"
    other.close()


def test_one_that_waits_can_be_stopped(tiny, explorer):
    stop_while_it_waits(tiny, explorer, explorer.run)
    assert explorer.trace is None
    assert "nothing was run" in explorer.board.message.plain


def test_one_that_waits_claims_not_to_run_and_leaves_no_word_of_it(tiny, explorer):
    before, said = explorer._latest.caption.plain, []
    with lock_of(tiny):
        explorer.run()
        while len(lock_of(tiny)._queue) < 2:
            explorer.wait(0.01)
        waiting = [section(explorer, title).message.plain for title in ("Pixels", "Attention")]
        said += [explorer._latest.caption.plain, explorer.board.message.plain, explorer.board.bar._text.value]
        explorer.stop()
        assert explorer.wait(60.0)
    assert said[:2] == [before, "Waiting until the pipeline is free."]
    assert "waiting" in said[2]
    assert set(waiting) == {"The run that was started is shown here when it is done."}
    assert section(explorer, "Pixels").message.plain == "Nothing has been run yet: press Run."
    assert explorer._latest.caption.plain == before
    assert "waiting" not in explorer.board.bar._text.value


def test_the_progress_bar_of_the_pipeline_is_off_meanwhile_and_as_before_afterwards(tiny, explorer, capfd):
    tiny.set_progress_bar_config(disable=False, desc="mine")
    explorer.run(wait=True)
    assert tiny._progress_bar_config == {"disable": False, "desc": "mine"}
    assert "mine" not in capfd.readouterr().err


def test_the_last_runs_stay_in_reach_and_older_ones_are_let_go(explorer):
    explorer.state.num_inference_steps = 1
    for seed in range(MOST + 1):
        explorer.state.seed = seed
        explorer.run(wait=True)
    assert [trace.call["seed"] for trace in explorer.history.traces] == list(range(MOST, 0, -1))
    second = explorer.history.widget.children[1]
    second.children[1].click()
    assert explorer.trace.call["seed"] == MOST - 1
    assert explorer.board.message.plain.startswith(f"Shown is run {MOST}: seed {MOST - 1}; it took ")
    assert f"{MOST} runs kept" in explorer._title.value


def test_runs_of_one_seed_are_told_apart(explorer):
    for change in ({"guidance_scale": 3.0}, {"scheduler": "Euler"}, {}):
        explorer.state.update(num_inference_steps=1, **change)
        explorer.run(wait=True)
    buttons = [entry.children[1] for entry in explorer.history.widget.children]
    assert [one.description for one in buttons] == ["3: seed 0", "2: seed 0", "1: seed 0"]
    assert "1 step · guidance_scale 3 · EulerDiscrete · 64 × 64 · a cat and a dog" in buttons[0].tooltip
    assert "· PNDM ·" in buttons[2].tooltip
    names = [name for name, _ in section(explorer, "Compare")._picks["a"].options]
    assert len(set(names)) == 4
    assert [name[:9] for name in names[1:]] == ["3: seed 0", "2: seed 0", "1: seed 0"]
    assert "guidance_scale 3 · EulerDiscrete" in names[1]


def test_guidance_off_and_on_and_a_comparison_are_run_from_the_dashboard(explorer):
    guidance = section(explorer, "Guidance")
    explorer.run(wait=True)
    guidance.compare()
    explorer.wait(60.0)
    assert guidance._both.picture.data.keys() == {"0", "1"}
    compare = section(explorer, "Compare")
    compare._over.value = "seed"
    compare._values.value = "4, 5, 6"
    compare.compare()
    explorer.wait(60.0)
    assert compare.message.plain == ""
    assert len(compare.box.picture.data) >= 3
    assert "Compared 3 runs over seed" in explorer.board.message.plain
    compare._values.value = "four, 5"
    compare.compare()
    assert "'four' is no value of seed; write for example 0, 1, 2" in compare.message.plain


def test_what_the_bar_says_may_take_two_lines_and_is_escaped():
    from sdexplore.dashboard.progress import Bar

    bar = Bar()
    bar.say("tracing <UNet> for 2 × 4 × 32 × 32 with the maps of 16 layers …")
    assert isinstance(bar.widget.children[1], ipywidgets.HTML)  # a Label would cut it off
    assert "&lt;UNet&gt; for 2 × 4 × 32 × 32 with the maps of 16 layers …" in bar.widget.children[1].value
    bar.reach(2, 8, "step ")
    assert ">step 2 of 8 · " in bar.widget.children[1].value
    close(bar.widget)
