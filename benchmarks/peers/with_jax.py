"""JAX on the processor: a whole training step compiled by jit."""

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)  # for the rows in float64; float32 arrays stay so

VERSION = jax.__version__
_HIDDEN = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "gelu": lambda Z: jax.nn.gelu(Z, approximate=False),
    "sigmoid": jax.nn.sigmoid,
}


def _loss(network):
    hidden = _HIDDEN[network.hidden]

    def loss(parameters, X, Y):
        A = X
        for W, b in parameters[:-1]:
            A = hidden(A @ W + b)
        W, b = parameters[-1]
        Z = A @ W + b
        if network.sizes[-1] > 1:
            return -jnp.mean(jnp.sum(Y * jax.nn.log_softmax(Z), axis=1))
        return jnp.mean(Y * jax.nn.softplus(-Z) + (1 - Y) * jax.nn.softplus(Z))

    return loss


def _adam(rate, state, parameters, gradients, beta1=0.9, beta2=0.999, epsilon=1e-8):
    t, v, s = state
    t = t + 1
    v = jax.tree.map(lambda v, g: beta1 * v + (1 - beta1) * g, v, gradients)
    s = jax.tree.map(lambda s, g: beta2 * s + (1 - beta2) * g * g, s, gradients)
    power = t.astype(parameters[0][0].dtype)
    first, second = 1 - beta1**power, 1 - beta2**power
    moved = jax.tree.map(
        lambda p, v, s: p - rate * (v / first) / (jnp.sqrt(s / second) + epsilon), parameters, v, s
    )
    return (t, v, s), moved


def training(network, X, y):
    """Return a function (state, X, Y) -> state that takes one step, a first state, X and Y."""
    parameters = [(jnp.asarray(W.T), jnp.asarray(b[:, 0])) for W, b in network.weights()]
    gradient = jax.grad(_loss(network))
    X, Y = jnp.asarray(X), jnp.asarray(np.ascontiguousarray(network.targets(y).T))

    def sgd(parameters, X, Y):
        return jax.tree.map(
            lambda p, g: p - network.rate * g, parameters, gradient(parameters, X, Y)
        )

    def adam(state, X, Y):
        memory, parameters = state
        return _adam(network.rate, memory, parameters, gradient(parameters, X, Y))

    if network.optimizer == "sgd":
        return sgd, parameters, X, Y
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    return adam, ((jnp.zeros((), jnp.int32), zeros, zeros), parameters), X, Y


def step(network, X, y):
    """One compiled call a step; the old parameters give their memory to the new."""
    function, state, X, Y = training(network, X, y)
    compiled = jax.jit(function, donate_argnums=0)
    state = jax.tree.map(jnp.copy, state)  # so that no array is given away twice

    def one_step():
        nonlocal state
        state = jax.block_until_ready(compiled(state, X, Y))

    def weights():
        parameters = state if network.optimizer == "sgd" else state[1]
        return [(np.asarray(W.T), np.asarray(b)) for W, b in parameters]

    one_step.weights = weights
    return one_step


def predictor(network, X):
    """Compile a forward pass."""
    parameters = [(jnp.asarray(W.T), jnp.asarray(b[:, 0])) for W, b in network.weights()]
    hidden, X = _HIDDEN[network.hidden], jnp.asarray(X)

    @jax.jit
    def forward(parameters, X):
        A = X
        for W, b in parameters[:-1]:
            A = hidden(A @ W + b)
        W, b = parameters[-1]
        return jax.nn.softmax(A @ W + b) if network.sizes[-1] > 1 else jax.nn.sigmoid(A @ W + b)

    return lambda: forward(parameters, X).block_until_ready()


def _image_logits(network):
    """Return a function (parameters, X) -> Z of the last layer."""
    count = len(network.convolutions)

    def logits(parameters, X):
        A = X
        for (W, b), (*_, padding) in zip(parameters, network.convolutions, strict=False):
            Z = jax.lax.conv_general_dilated(A, W, (1, 1), padding.upper()) + b[:, None, None]
            window = (1, 1, 2, 2)
            A = jax.nn.relu(
                jax.lax.reduce_window(Z, -jnp.inf, jax.lax.max, window, window, "VALID")
            )
        A = A.reshape(len(A), -1)
        for W, b in parameters[count:-1]:
            A = jax.nn.relu(A @ W + b)
        W, b = parameters[-1]
        return A @ W + b

    return logits


def _image_parameters(network):
    return [
        (jnp.asarray(W.T if W.ndim == 2 else W), jnp.asarray(b[:, 0])) for W, b in network.weights()
    ]


def image_step(network, X, y):
    """One compiled call a step; the old parameters give their memory to the new."""
    logits, state = _image_logits(network), _image_parameters(network)
    X, Y = jnp.asarray(X), jnp.asarray(np.ascontiguousarray(network.targets(y).T))

    def loss(parameters, X, Y):
        return -jnp.mean(jnp.sum(Y * jax.nn.log_softmax(logits(parameters, X)), axis=1))

    def sgd(parameters, X, Y):
        gradients = jax.grad(loss)(parameters, X, Y)
        return jax.tree.map(lambda p, g: p - network.rate * g, parameters, gradients)

    compiled = jax.jit(sgd, donate_argnums=0)

    def one_step():
        nonlocal state
        state = jax.block_until_ready(compiled(state, X, Y))

    one_step.weights = lambda: [
        (np.asarray(W.T if W.ndim == 2 else W), np.asarray(b)) for W, b in state
    ]
    return one_step


def image_predictor(network, X):
    """Compile a forward pass."""
    logits, parameters = _image_logits(network), _image_parameters(network)
    compiled, X = jax.jit(lambda P, X: jax.nn.softmax(logits(P, X))), jnp.asarray(X)
    return lambda: compiled(parameters, X).block_until_ready()
