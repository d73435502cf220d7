"""How the engine runs each room: one file per family of plugins, `run(task, world)` in each."""
