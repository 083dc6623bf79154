"""The linked explorer in a notebook: what the notebook's file keeps."""

import base64
import io
from html import unescape

import numpy as np
import pytest
import synthetic
from PIL import Image

import sdexplore as sdx
from sdexplore.dashboard.linked_explorer import LinkedExplorer


@pytest.fixture
def explorer():
    found = LinkedExplorer(synthetic.trace())
    yield found
    found.close()


def test_the_file_of_a_notebook_gets_a_still_picture_and_an_honest_text(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.width > 500
    assert data["text/plain"].startswith("LinkedExplorer of trace ")
    assert "a, cat, and, rocketship" in metadata["image/png"]["alt"]
    assert metadata["image/png"]["alt"] in data["text/plain"]
    assert f'src="data:image/png;base64,{data["image/png"]}"' in data["text/html"]  # what a site of notebooks shows
    assert metadata["image/png"]["alt"] in unescape(data["text/html"])


def test_a_snapshot_shows_the_step_and_the_layers_that_are_shown(explorer):
    explorer.state = {"step": 3, "layers": 6, "role": "cond", "scale": "each"}
    picture = explorer.snapshot()
    assert "steps=3, layers=6, scale='each'" in picture.call
    assert np.array_equal(picture.data["cat"], sdx.word_map(explorer.trace, "cat", steps=3, layers=6))


def test_traces_without_word_maps_leave_what_they_have():
    without = LinkedExplorer(synthetic.trace(cross_attention={}))
    assert "sdx.views.denoising" in without.snapshot().call
    nothing = {"latents": None, "noise_pred": None, "pred_original_sample": None, "image": None, "latent_rgb": None}
    bare = synthetic.trace(**nothing, cross_attention={}, decoded={}, decoded_x0={}, noise_preds={})
    explorer = LinkedExplorer(bare)
    data, _ = explorer._repr_mimebundle_()
    assert "image/png" not in data
    assert bare.fingerprint in data["text/plain"]
    with pytest.raises(sdx.TraceError, match="cross-attention"):
        explorer.snapshot()
    without.close()
    explorer.close()


def test_a_budget_that_nothing_fits_says_so():
    with pytest.raises(sdx.TraceError, match="1000 bytes"):
        LinkedExplorer(synthetic.trace(), budget=1000)


def test_nbconvert_shows_the_still_picture_in_html_and_markdown(explorer):
    import nbformat
    from nbconvert import HTMLExporter, MarkdownExporter

    data, metadata = explorer._repr_mimebundle_()
    output = nbformat.v4.new_output("display_data", data, metadata=metadata)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("explorer", outputs=[output])])
    html, _ = HTMLExporter().from_notebook_node(notebook)
    markdown, _ = MarkdownExporter().from_notebook_node(notebook)
    for shown in (html, markdown):
        assert data["image/png"] in shown
        assert metadata["image/png"]["alt"] in unescape(shown)
