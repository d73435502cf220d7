"""Evidence of a system: a ledger of its runs and of what people did about them, and what holds both against it.

evidence = Evidence(folder)                    # .temper/evidence, beside the store of runs
evidence.tell([(RUN, body)], nanoseconds)      # chained, signed, on the disk
follow(evidence, control, nanoseconds)         # what people did since, from the audit of the control store
hold(evidence, store, control) -> Held         # what is not as it was told; from then on the store is read-only
"""
