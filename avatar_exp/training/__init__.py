"""DreamBooth as a LightningModule, its optimizers, loggers and callbacks."""
