"""Training of the miniature, for real and small: every stage, the saved folder, its parts one by one."""

import itertools
import logging
import random
from dataclasses import fields, replace
from unittest import mock

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from sdexplore.errors import LoadError, SdexploreError
from sdexplore.mini import PIPELINE, finetune, measure, render, sample, spans, train
from sdexplore.mini.alignment import CrossAttention, alignment_loss, named_and_seen, select_groups
from sdexplore.mini.backgrounds import background
from sdexplore.mini.batches import draw_batch
from sdexplore.mini.dataset import (
    END,
    GROUND_GROUP,
    START,
    Draw,
    SceneTable,
    draw_table,
    known_tokens,
    spread,
)
from sdexplore.mini.encoding import encode, posterior_mean, whiten
from sdexplore.mini.finetuning import AlignmentStage, Finetuning, finetune as align, fit
from sdexplore.mini.networks import build, load
from sdexplore.mini.noise import alphas_cumprod, noise_loss, noised
from sdexplore.mini.optimization import AveragedWeights, Budget, learning_rate
from sdexplore.mini.pointing import pointing
from sdexplore.mini.rendering import Renderer
from sdexplore.mini.training import Training, train as train_from
from sdexplore.mini.vocabulary import BACKGROUNDS, STYLES
