"""How good a picture of a person is: pure functions of features, and the models that make the features."""
