"""A network of Keras for the tests, in a module that worker processes can import."""

import keras


def build(width=8, rate=0.01):
    layers = [
        keras.Input((6,)),
        keras.layers.Dense(width, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(rate), loss="binary_crossentropy")
    return model
