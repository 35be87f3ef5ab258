"""One file a framework. Importing it imports the framework; then

    infer(folder, cell, x) -> call, threads      call() computes the outputs of x [n, channels, height, width]
    Trainer(folder, cell, x, labels, dropout)    where it trains: .threads, .step(rate) -> loss, and of the last step
                                                 .gradient(parameter's name)

`threads` is what the framework says it was set to. Files in `folder` are prepare.py's.
"""
