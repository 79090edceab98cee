"""Models of other projects and of Keras 2, as networks that keep our contract."""
