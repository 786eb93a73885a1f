"""
Confusion matrix
================

Each row is a digit, each column what the network read. What is right stands on the diagonal. The
rest shows which digits it takes for which, as accuracy alone does not. The network is small and
trained for a short time, so that it makes mistakes.
"""

from matplotlib import pyplot as plt

import tinynet as tn

digits = tn.load_digits()
layers = [tn.Dense(16, "relu"), tn.Dense(10, "softmax")]
model = tn.Sequential(layers, loss="categorical_crossentropy", inputs=64, seed=1)
model.fit(digits.X_train, digits.y_train, tn.Adam(0.01), epochs=3)

figure, ax = plt.subplots(figsize=(6, 6), layout="constrained")
tn.plot.confusion_matrix(digits.y_test, model.predict(digits.X_test), ax=ax)
accuracy = model.evaluate(digits.X_test, digits.y_test, metrics=["accuracy"])["accuracy"]
figure.suptitle(f"Which digit is read as which: {accuracy:.1%} are on the diagonal")
