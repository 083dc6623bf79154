"""`%sdexplore` in a real shell: what is typed, which function is called, what is returned."""

import subprocess
import sys
import threading

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from tiny_transformers import sd3

import sdexplore as sdx
from sdexplore.changes.ablate import Ablate
from sdexplore.changes.reweight import Reweight
from sdexplore.magics.commands import COMMANDS
from sdexplore.magics.model_commands import said_if_long
from sdexplore.magics.parsing import parse

TAKEN = ("__builtins__", "__name__", "print", "open", "In", "Out", "get_ipython", "_", "__", "_i", "_i3", "_3", "_oh")


@pytest.fixture(scope="module")
def shell():
    main = sys.modules[
        "__main__"
    ]  # the shell puts its own there, which processes spawned by other tests would look for
    TerminalInteractiveShell.clear_instance()
    InteractiveShell.clear_instance()
    found = TerminalInteractiveShell.instance(simple_prompt=True)
    found.run_line_magic("load_ext", "sdexplore")
    yield found
    found.run_line_magic("unload_ext", "sdexplore")
    TerminalInteractiveShell.clear_instance()
    sys.modules["__main__"] = main


@pytest.fixture
def clean(shell, tiny):
    shell.reset(new_session=False)
    shell.push({"pipe": tiny})
    return shell


TWICE = Reweight("cat", 2, steps=slice(1, None))


def ask(shell, line, cell=None):
    if cell is not None:
        return shell.run_cell_magic("sdexplore", line, cell)
    return shell.run_line_magic("sdexplore", line)


def asked(command, line, cell=None):
    found = parse(command, COMMANDS[command].options, line, cell)
    return found.text, found.options


@pytest.mark.parametrize(
    ("line", "text", "options"),
    [
        ("a cat", "a cat", {}),
        ("  a   cat ", "a   cat", {}),
        ("a cat --steps 25 --seed 3", "a cat", {"num_inference_steps": 25, "seed": 3}),
        ("--steps 25 a cat --seed=3", "a cat", {"num_inference_steps": 25, "seed": 3}),
        ('"a cat"', "a cat", {}),
        ("'a cat' -o night", "a cat", {"output": "night"}),
        ('"a" and "b"', '"a" and "b"', {}),
        ("it's a cat's life", "it's a cat's life", {}),
        ("(cat:1.2) {dog} $x [1|2] \\n 50% of `it`", "(cat:1.2) {dog} $x [1|2] \\n 50% of `it`", {}),
        ('a cat --negative "blue, red"', "a cat", {"negative_prompt": "blue, red"}),
        ("a cat -- in space", "a cat -- in space", {}),
        ("a cat, 3 - 2 = 1", "a cat, 3 - 2 = 1", {}),
        ("東京の桜 --guidance 3", "東京の桜", {"guidance_scale": 3.0}),
        ("a cat --size 640x512", "a cat", {"size": (640, 512)}),
        ("a cat --heads", "a cat", {"heads": True}),
        ("a cat --change \"Reweight('cat', 2, steps=slice(1, None))\"", "a cat", {"change": [TWICE]}),
        ("--change sdx.Ablate('mid_block') a cat", "a cat", {"change": [Ablate("mid_block")]}),
        ("a cat --set guidance_rescale=0.7 --set eta=1", "a cat", {"set": [("guidance_rescale", 0.7), ("eta", 1)]}),
        ('a cat --scheduler "DPM++ 2M"', "a cat", {"scheduler": "DPM++ 2M"}),
        ("--scheduler DPM++ 2M a cat", "a cat", {"scheduler": "DPM++ 2M"}),
        ("a cat --scheduler Euler a --steps 2", "a cat", {"scheduler": "Euler a", "num_inference_steps": 2}),
        ("--scheduler Euler b cat", "b cat", {"scheduler": "Euler"}),
        ("", "", {}),
    ],
)
def test_options_stand_at_either_end_and_text_is_kept_as_typed(line, text, options):
    assert asked("run", line) == (text, options)


def test_a_cell_is_the_prompt_as_it_is():
    cell = '\n"a cat" --steps 9\n  it\'s {x} $y\n'
    assert asked("run", "--seed 2", cell) == ('"a cat" --steps 9\n  it\'s {x} $y', {"seed": 2})


@pytest.mark.parametrize(
    ("line", "cell", "message"),
    [
        ("a --steps 9 cat", None, "--steps.*inside the text"),
        ("a cat --stepz 9", None, r"--stepz; did you mean '--steps'( or '--\w+')*\?.*%%sdexplore"),
        ("a cat --zzzzzz 9", None, r"--zzzzzz; .*'--steps'.*\..*%%sdexplore"),
        ("a portrait --ar 3:2", None, "--ar.*%%sdexplore run"),
        ("a cat --steps", None, "expected one argument"),
        ("a cat --steps many", None, "invalid count value: 'many'"),
        ("a cat --steps 0", None, "invalid count value: '0'.*at least 1"),
        ("a cat --guidance x", None, "invalid float value: 'x'"),
        ("a cat --guidance 1,7.5", None, "'1,7.5'.*%sdexplore compare --over guidance=1,7.5 "),
        ("a cat --steps 2,4", None, "%sdexplore compare --over steps=2,4 "),
        ("a cat -o 1x", None, "invalid variable value: '1x'"),
        ("a cat -o class", None, "invalid variable value: 'class'"),
        *((f"a cat -o {name}", None, f"{name!r} is a name that Python or IPython needs") for name in TAKEN),
        ("a cat --set prompt=x", None, "invalid setting value: 'prompt=x'"),
        ("a cat --size big", None, "invalid size value: 'big'"),
        ("a cat --size 0", None, "invalid size value: '0'.*512"),
        ("a cat --guidance nan", None, "invalid float value: 'nan'.*finite"),
        ("a cat --seed 1.5", None, "invalid int value: '1.5'.*whole number"),
        ("a cat --change Reweight", None, "invalid change value: 'Reweight'.*Ablate"),
        ("a cat --change Reweight('cat')", None, "invalid change value"),
        ("a cat --change Reweight(open('x'),1)", None, "invalid change value"),
        ("a cat --change \"Reweight('cat', 1e999)\"", None, "scale=inf"),
        ("a cat --set change=3", None, "--change"),
        ("a cat --set eta", None, "invalid setting value: 'eta'.*NAME=VALUE"),
        ("a cat --set =3", None, "invalid setting value: '=3'.*NAME=VALUE"),
        ("a cat --set width=3", None, "invalid setting value: 'width=3'.*--size"),
        ("a cat --set num_inference_steps=3", None, "'num_inference_steps=3'.*--steps 3"),
        ("a cat", "a dog", "'a cat'.*first line"),
    ],
)
def test_what_cannot_be_meant_is_said(line, cell, message):
    with pytest.raises(UsageError, match=message):
        parse("run", COMMANDS["run"].options, line, cell)


def test_a_run_becomes_the_trace_and_is_its_value(clean):
    first = ask(clean, "run a cat and (dog:1.2) --steps 2 --seed 4 --guidance 3")
    assert first is clean.user_ns["trace"]
    assert first.prompt == "a cat and (dog:1.2)"
    assert first.call["seed"] == 4
    assert first.call["arguments"] == {"num_inference_steps": 2, "guidance_scale": 3.0}
    again = ask(clean, "run --steps 2 -o mine", "a {cat}")
    assert again is clean.user_ns["mine"]
    assert again.prompt == "a {cat}"
    assert clean.user_ns["trace"] is first


def test_braces_and_dollars_reach_the_prompt_through_a_real_cell(clean):
    clean.push({"cat": "DOG", "x": "Y"})
    clean.run_cell("%sdexplore run a {cat} for $x --steps 1").raise_error()
    assert clean.user_ns["trace"].prompt == "a {cat} for $x"
    clean.run_cell("%%sdexplore run --steps 1\na {cat} for $x").raise_error()
    assert clean.user_ns["trace"].prompt == "a {cat} for $x"
    clean.run_cell("found = %sdexplore tokens a cat").raise_error()
    assert "tokenizer" in clean.user_ns["found"]


def test_a_command_without_a_component_is_about_the_denoiser_of_any_family(clean):
    clean.push({"pipe": sd3()})
    assert ask(clean, "tree --depth 1").component == "transformer"
    assert ask(clean, "config")["joint_attention_dim"] == 64


def test_every_command_that_shows_gives_what_the_function_gives(clean):
    tiny = clean.user_ns["pipe"]
    trace = ask(clean, "run a cat and a dog --steps 3")
    assert list(ask(clean, "components")) == list(sdx.components(tiny))
    assert dict(ask(clean, "config scheduler")) == dict(sdx.config(tiny, "scheduler"))
    assert ask(clean, "tree vae --depth 1").parameters == sdx.tree(tiny, "vae").parameters
    assert ask(clean, "tokens")["tokenizer"].text == "a cat and a dog"
    assert ask(clean, "denoising --step 0,2").call == sdx.views.denoising(trace, steps=[0, 2]).call
    assert ask(clean, "guidance --step 1:").call == sdx.views.guidance(trace, steps=range(trace.num_steps)[1:]).call
    picture = ask(clean, "attention cat 'a dog' --layer up_blocks --scale each --step 1:")
    assert picture.call == (
        sdx.views.attention(trace, ["cat", "a dog"], layers="up_blocks", scale="each", steps=slice(1, None)).call
    )
    compared = ask(clean, "compare a cat --over guidance=1,3 --over seed=0,1 --steps 1")
    assert compared is clean.user_ns["comparison"]
    assert dict(compared.over) == {"guidance_scale": (1, 3), "seed": (0, 1)}
    other = ask(clean, 'run a cat --steps 2 --scheduler "Euler a" -o other')
    assert other.provenance["scheduler"]["class"] == "EulerAncestralDiscreteScheduler"
    assert type(tiny.scheduler).__name__ != "EulerAncestralDiscreteScheduler"


def test_a_run_goes_to_a_file(clean, tmp_path):
    trace = ask(clean, f"run a cat --steps 1 --to {tmp_path / 'cat.safetensors'}")
    assert sdx.Trace.load(tmp_path / "cat.safetensors").verify().fingerprint == trace.fingerprint
    ask(clean, f"compare a cat --over seed=0,1 --steps 1 --to {tmp_path / 'both'}")
    assert len(sdx.Comparison.load(tmp_path / "both")) == 2
    with pytest.raises(UsageError, match="--to or --scheduler"):
        ask(clean, "run a cat --steps 1 --scheduler DDIM --to cat.safetensors")


def test_the_picture_shown_last_is_exported(clean, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ask(clean, "run a cat --steps 1")
    with pytest.raises(UsageError, match="%sdexplore attention"):
        ask(clean, "export --slug inside-a-small-model --key cat")
    clean.run_cell("%sdexplore attention cat", store_history=True).raise_error()
    ask(clean, 'export --slug inside-a-small-model --key cat --caption "Where cat looked"')
    assert (tmp_path / "images" / "inside-a-small-model" / "001.png").stat().st_size > 1000
    assert "Where cat looked" in (tmp_path / "articles" / "inside-a-small-model.md").read_text()


def test_sources_are_examined_and_a_trace_becomes_a_page(clean, tiny, trace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clean.push({"trace": trace})
    assert ask(clean, "inspect mini").parts == sdx.inspect("mini").parts
    assert ask(clean, "doctor").facts == sdx.doctor(tiny).facts
    assert ask(clean, "page --to cat.html -o written") == clean.user_ns["written"]
    assert (tmp_path / "cat.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("page", "needs --to"),
        ("doctor --device cpu", "--device with a source"),
        ("atention cat", "'atention'; did you mean 'attention'"),
        ("attention cat", "there is no 'trace'"),
        ("attention cat --trace pipe", "'pipe' is a StableDiffusionPipeline"),
        ("components --pipe nothing", "no pipeline in 'nothing'"),
        ("config engine", "has no component 'engine'"),
        ("compare a cat", "needs --over"),
        ("compare a cat --over", "--over.*expected one argument"),
        ("compare a cat --over seed", "invalid axis value: 'seed'.*NAME=VALUES"),
        ("compare a cat --over seed=", "invalid axis value: 'seed='.*NAME=VALUES"),
        ("compare a cat --over =1,2", "invalid axis value: '=1,2'.*NAME=VALUES"),
        ("compare a cat --ovr seed=1,2", "--ovr; did you mean '--over'"),
        ("attention cat --step ::0", "invalid steps value: '::0'.*2:10"),
        ("attention cat --step 1:2:3:4", "invalid steps value: '1:2:3:4'"),
        ("components --pipe _", "pipeline"),
        ("run --steps 2", "no prompt.*%sdexplore run a cat"),
        ("compare --over seed=0,1", "no prompt"),
        ("export --key cat", "needs --slug"),
        ('export --key cat --slug inside-a-small-model --caption it\'s "a cat"', "export takes no text.*a cat"),
        ("components of this", "components takes no text.*'of this'"),
        ("load nowhere/at-all", "HF_HUB_OFFLINE"),
        ("head_effects --step 0", "there is no word"),
        ("attribution cat --region 1,2,3", "LEFT,TOP,RIGHT,BOTTOM"),
    ],
)
def test_mistakes_are_one_line_without_a_traceback(clean, line, message):
    with pytest.raises(UsageError, match=message):
        ask(clean, line)


def test_help_says_what_there_is(clean, capsys):
    assert ask(clean, "") is None
    assert ask(clean, "run --help") is None
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in shown
    for option in COMMANDS["run"].options:
        assert option.flags[0] in shown
    clean.run_cell("%sdexplore?")
    assert "%sdexplore run a cat and a rocket" in clean.find_line_magic("sdexplore").__doc__


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%sdexplore co", {"components", "config", "compare"}),
        ("%sdexplore run --st", {"--steps"}),
        ("%sdexplore run a cat --scheduler Eu", {"Euler", '"Euler a"'}),
        ("%sdexplore config sch", {"scheduler"}),
        ("%sdexplore tree un", {"unet"}),
        ("%sdexplore attention do", {"dog"}),
        ("%sdexplore attention dog --method p", {"p2p"}),
        ("%sdexplore attention dog --layer up_blocks", None),
        ("%%sdexplore run --gui", {"--guidance"}),
        ("%sdexplore attention --trace tr", {"trace"}),
        ("%sdexplore attention dog --role c", {"cond"}),
        ("%sdexplore denoising --step 0", {"0", "0:1"}),
        ("%sdexplore compare a cat --over guid", {"guidance_scale=", "guidance_rescale=", "guide_scale="}),
        ("%sdexplore compare a cat --over sch", {"scheduler="}),
        ("%sdexplore compare a cat --over scheduler=PN", {"scheduler=PNDM"}),
        ("%sdexplore run a cat --set et", {"eta="}),
        ("%sdexplore run a cat --set see", set()),
        ("%sdexplore load mi", {"mini"}),
        ("%sdexplore head_effects do", {"dog"}),
        ("%sdexplore attribution do", {"dog"}),
        ("%sdexplore run a cat --change Re", {"Reweight('"}),
        ("%sdexplore run a cat --change Reweight('d", {"Reweight('dog',2)"}),
        (
            "%sdexplore run a cat --change Ablate('mid_block.",
            {"Ablate('mid_block.attentions.0.transformer_blocks.0.attn2')"},
        ),
    ],
)
def test_completion_offers_what_fits_and_nothing_else(clean, line, expected):
    if "trace" not in clean.user_ns:
        ask(clean, "run a cat and a dog --steps 1")
    text, found = clean.complete("", line, len(line))
    begun = line.rpartition(" ")[2]
    words = {begun[: len(begun) - len(text)] + one for one in found}
    if expected is None:
        assert "up_blocks" in words
        assert all(one.startswith("up_blocks") for one in words)
    else:
        assert words == expected


def test_a_long_load_says_that_it_loads_and_a_quick_one_says_nothing(capsys):
    with said_if_long("Loading it …", 60.0):
        pass
    assert capsys.readouterr().err == ""
    said = threading.Event()
    with said_if_long("Loading it …", 0.0):
        for _ in range(1000):
            if "Loading it …" in capsys.readouterr().err:
                said.set()
                break
            said.wait(0.01)
    assert said.is_set()


def test_the_extension_loads_light_and_can_be_taken_away_and_loaded_again():
    check = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell; s = InteractiveShell.instance();"
        "s.run_line_magic('load_ext', 'sdexplore');"
        "heavy = {'torch', 'diffusers', 'transformers', 'matplotlib.pyplot', 'ipywidgets'} & set(sys.modules);"
        "assert not heavy, heavy;"
        "n = len(s.Completer.custom_matchers); assert s.find_line_magic('sdexplore');"
        "s.run_line_magic('reload_ext', 'sdexplore'); assert len(s.Completer.custom_matchers) == n;"
        "s.run_line_magic('unload_ext', 'sdexplore');"
        "assert not s.find_line_magic('sdexplore') and not s.find_cell_magic('sdexplore');"
        "assert len(s.Completer.custom_matchers) == n - 1"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run a cat --scheduler Euler --steps 0.5", "invalid count value: '0.5'"),
        ("run a cat --scheduler Euler --set nope=3", r"^run\(nope=…\)"),
        ("run a cat --scheduler Euler --seed 99999999999999999999", r"^run\(seed=99999999999999999999\)"),
        ("run a cat --scheduler Euler --size 63 --steps 1", "^run: StableDiffusionPipeline refuses this call"),
    ],
)
def test_an_error_of_a_run_with_a_scheduler_names_run(clean, line, message):
    scheduler = clean.user_ns["pipe"].scheduler
    with pytest.raises(UsageError, match=message):
        ask(clean, line)
    assert clean.user_ns["pipe"].scheduler is scheduler


def test_a_run_with_a_scheduler_is_the_run_of_a_comparison_over_it(clean):
    found = ask(clean, "run a cat --scheduler Euler --steps 1 --seed 2")
    (other,) = sdx.compare(clean.user_ns["pipe"], "a cat", over={"scheduler": ["Euler"]}, seed=2, num_inference_steps=1)
    assert found.fingerprint == other.fingerprint


def test_words_and_heads_are_asked_again_at_the_latents_of_the_trace(clean):
    ask(clean, "run a cat and a dog --steps 2 --size 64")
    clean.push({"trace": clean.user_ns["trace"]})
    picture = ask(clean, "attribution cat dog --region 0,0,32,64 --step 1 --method gradient --method attention")
    assert picture.call.count("region=(0, 0, 32, 64), step=1") == 2
    assert {name.partition(",")[0] for name in picture.data} == {"gradient", "attention"}
    heads = ask(clean, "head_effects dog --layer mid_block --step 0")
    assert "'dog', step=0, layers=['mid_block']" in heads.call
