"""A run lists a network's modules once, as long as none of them can change."""

from threading import Thread

import torch
from tiny_pipelines import stable_diffusion

import sdexplore as sdx
from sdexplore.model.families.modules import changing, listed_once, modules_of, processors_of


def test_within_the_block_a_network_is_listed_once_and_outside_of_it_anew_each_time():
    network = torch.nn.Sequential(torch.nn.Linear(1, 1))
    with listed_once():
        before = modules_of(network)
        network.append(torch.nn.ReLU())
        assert modules_of(network) is before
        found = []
        other = Thread(target=lambda: found.append(modules_of(network)))
        other.start()
        other.join()
        assert list(found[0]) == ["", "0", "1"], "another thread has not said that nothing changes"
        with listed_once():
            assert list(modules_of(network)) == ["", "0", "1"]
        assert modules_of(network) is before
    assert list(modules_of(network)) == ["", "0", "1"]


def test_where_modules_may_change_they_are_listed_anew_then_and_afterwards():
    network = torch.nn.Sequential(torch.nn.Linear(1, 1))
    with listed_once():
        modules_of(network)
        with changing():
            network.append(torch.nn.ReLU())
            assert list(modules_of(network)) == ["", "0", "1"]
            network.append(torch.nn.ReLU())
            assert list(modules_of(network)) == ["", "0", "1", "2"]
        network[0].processor = object()
        assert list(modules_of(network)) == ["", "0", "1", "2"]
        assert processors_of(network) == {"0": network[0].processor}


def test_a_run_sees_what_was_put_into_the_pipeline_before_it_and_while_it_ran():
    pipe = stable_diffusion()

    class Mine(type(next(iter(pipe.unet.attn_processors.values())))):
        """A processor of one's own."""

    def exchange(pipe, _, __, given):
        pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn1.set_processor(Mine())
        return given

    given = {"num_inference_steps": 1, "output_type": "latent", "record": sdx.Record(decode=0)}
    before = dict(pipe.unet.attn_processors)
    trace = sdx.run(pipe, "a cat", callback_on_step_end=exchange, **given)
    assert trace.provenance["foreign"]["processors"] == []
    assert "Mine" in trace.provenance["used"]["attention_backend"]
    assert pipe.unet.attn_processors == before, "afterwards the pipeline is as before"
    pipe.unet.set_attn_processor(Mine())
    assert sdx.run(pipe, "a cat", **given).provenance["foreign"]["processors"] == ["Mine"]
