"""From a learned start to a fit: every region adapted by the inner steps, in the coordinates of the fit."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from partinr.errors import InputError, need
from partinr.fitting.starts.start import Start
from partinr.model.networks.network import Parameters
from partinr.model.partition.partition import Partition
from partinr.shapes import Float32
from partinr.signals import frames
from partinr.signals.frames import Frame
from partinr.signals.signal import Signal, SignalSpec


def fit_frame(start: Start) -> Frame:
    """The frame of a fit from this start: centred coordinates become global ones.

    Raises:
        InputError: the network encodes its coordinates, so that other coordinates would be another function.
    """
    if start.frame != "centred":
        return start.frame
    if not start.network.takes_coordinates:
        raise InputError(
            f"a start of the network {start.network.name} in centred coordinates cannot begin a fit; learn "
            "one with --frame global or local"
        )
    return "global"


def check_suits(start: Start, signal: SignalSpec) -> None:
    """Make sure that a signal can be fitted from a start: one without inner steps is for any channels.

    Raises:
        InputError: another number of axes, or channels.
    """
    if start.dims != signal.dims:
        raise InputError(
            f"the start is for signals of {start.dims} axes, this one has {signal.dims}; take another start"
        )
    grey = 1 if start.channels == 3 else start.channels
    if start.inner_steps and signal.channels not in (start.channels, grey):
        also = " (or 1, as grey)" if start.channels == 3 else ""
        raise InputError(
            f"the start is for signals of {start.channels} channels{also}, this one has {signal.channels}; "
            "take another start"
        )


def adapted(start: Start, signal: Signal, partition: Partition, device: str) -> Parameters:
    """Parameters of every region after the inner steps, for the fit's frame and channels.

    A signal of one channel from a start of three is taken as grey: three equal channels while the inner steps
    last, then their mean. From a start without inner steps, output layers are zero, to be solved.

    Args:
        start: where every region begins.
        signal: what is fitted.
        partition: its regions.
        device: where to compute the inner steps, by torch.

    Raises:
        InputError: there are inner steps, and torch is not installed.
    """
    if start.inner_steps:
        parameters = _after_inner_steps(start, signal, partition, device)
    else:
        parameters = _hidden_layers(start, partition.regions, signal.channels)
    return _global(parameters, partition) if start.frame == "centred" else parameters


def _after_inner_steps(start: Start, signal: Signal, partition: Partition, device: str) -> Parameters:
    need("torch", "a start with inner steps")
    from partinr.fitting.starts.inner import descended, on_device
    from partinr.fitting.starts.tasks import pack_tasks

    values = signal.normalised().reshape(-1, signal.channels)
    if signal.channels < start.channels:
        values = values.repeat(start.channels, axis=1)
    tasks = pack_tasks([values], [partition], start.network, start.frame, device=device)
    found = descended(on_device(start, device), tasks)
    parameters = Parameters.of([tensor.cpu().numpy() for tensor in found])
    return _averaged(parameters, start.channels) if signal.channels < start.channels else parameters


def _hidden_layers(start: Start, regions: int, channels: int) -> Parameters:
    """The start's hidden layers for every region, and output layers of zeros."""
    parameters = start.parameters.map(lambda array: np.repeat(array, regions, axis=0))
    shape = start.network.layer_shapes(start.dims, channels)[-1]
    output = np.zeros((regions, shape.fan_in, shape.fan_out), np.float32)
    return Parameters([*parameters.weights[:-1], output], [*parameters.biases[:-1], output[:, 0].copy()])


def _averaged(parameters: Parameters, channels: int) -> Parameters:
    """An output layer whose one channel is the mean of the old ones; a complex one has its imaginary half."""

    def mean(array: Float32[ndarray, "..."]) -> Float32[ndarray, "..."]:
        averaged: Float32[ndarray, "..."] = array.reshape(*array.shape[:-1], -1, channels).mean(axis=-1)
        return averaged

    return Parameters(
        [*parameters.weights[:-1], mean(parameters.weights[-1])],
        [*parameters.biases[:-1], mean(parameters.biases[-1])],
    )


def _global(parameters: Parameters, partition: Partition) -> Parameters:
    """The same functions of global coordinates: the first layer takes over the change."""
    scale, shift = frames.frame_affine("centred", partition.bounding_boxes, partition.shape)
    first = parameters.weights[0]
    moved = parameters.biases[0] + (shift[:, None] @ first)[:, 0]
    return Parameters([first * scale[:, :, None], *parameters.weights[1:]], [moved, *parameters.biases[1:]])
