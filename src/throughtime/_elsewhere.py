"""What other libraries have at the top of their packages, and what to write here."""

from __future__ import annotations

#: Attribute of another package -> what to write here.
OTHER_NAMES = {
    **dict.fromkeys(("Sequential", "Model", "Module", "nn"), "tt.Network([...])"),
    **dict.fromkeys(
        ("RNN", "SimpleRNN", "LSTM", "GRU", "Dense", "Linear", "Embedding", "Dropout"),
        "it as one of tt.layers, such as tt.layers.GRU(8)",
    ),
    **dict.fromkeys(("fit", "compile", "Trainer"), "tt.train(net, x, y)"),
    "predict": "net.predict(x)",
    **dict.fromkeys(
        ("callbacks", "LambdaCallback"), "tt.EarlyStopping, tt.EMA, tt.SWA or a function"
    ),
    **dict.fromkeys(
        ("ModelCheckpoint", "BackupAndRestore"), "checkpoint= and resume= of tt.train"
    ),
    **dict.fromkeys(("LearningRateFinder", "LRFinder", "lr_find"), "tt.find_lr(net, x, y)"),
    **dict.fromkeys(("LearningRateScheduler", "lr_scheduler"), "a schedule of tt.schedules"),
    "ReduceLROnPlateau": "tt.schedules.Plateau",
    **dict.fromkeys(("CSVLogger", "TensorBoard"), "history.to_csv(path) after training"),
    "TerminateOnNaN": "nothing: tt.train raises DivergedError with the last finite weights",
    **dict.fromkeys(
        ("DataLoader", "Dataset", "PyDataset", "Sequence"),
        "batches= of tt.train, which takes any loader, list or function; tt.data has loaders",
    ),
    **dict.fromkeys(
        ("no_grad", "inference_mode"), "net.predict(x), which keeps nothing for a gradient"
    ),
    **dict.fromkeys(("GradientTape", "grad", "autograd"), "net.forward(x) and net.backward"),
    **dict.fromkeys(("tensor", "Tensor", "from_numpy", "as_tensor"), "arrays of NumPy"),
    **dict.fromkeys(("optim", "Optimizer"), "tt.optimizers"),
    **dict.fromkeys(
        ("Adam", "AdamW", "SGD", "RMSprop", "RMSProp"),
        "it as one of tt.optimizers, such as tt.optimizers.Adam(0.001)",
    ),
    **dict.fromkeys(("load_model", "models"), "tt.load(path)"),
    **dict.fromkeys(("save", "save_model"), "net.save(path)"),
    **dict.fromkeys(
        ("manual_seed", "set_random_seed", "set_seed"), "seed= of tt.Network and of tt.train"
    ),
    **dict.fromkeys(("device", "cuda"), "no device: throughtime runs on the processor"),
    **dict.fromkeys(
        ("clip_grad_norm_", "clip_grad_value_"), "clip_norm= or clip_value= of tt.train"
    ),
    "utils": "tt.data",
    **dict.fromkeys(
        ("pad_sequences", "pad_sequence", "pack_padded_sequence"),
        "tt.data.pad, or a list of arrays as x",
    ),
}  # fmt: skip
