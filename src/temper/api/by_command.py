"""What each command does, from Python: the function or method behind it.

Methods of the control store are those of `temper.store.control.Control.open(place)`: `control.keys.add(...)`.
"""

from __future__ import annotations

from collections.abc import Mapping

_CONTROL = "temper.store.control"
_STORES = {
    "keys": ("keys.Keys", {"add": "add", "lend": "lend", "list": "all", "rotate": "rotate", "revoke": "revoke"}),
    "people": (
        "people.People",
        {"add": "add", "role": "set_role", "password": "set_password", "list": "all", "disable": "disable"},
    ),
    "reviews": ("reviews.Reviews", {"list": "page", "show": "get", "decide": "decide", "agreement": "agreement"}),
    "policy": (
        "policies.Policies",
        {"propose": "propose", "list": "page", "show": "get"}
        | {"approve": "approve", "reject": "reject", "rollback": "rollback"},
    ),
    "incidents": (
        "incidents.Incidents",
        {"open": "open", "list": "page", "show": "get", "note": "note", "reached": "reach", "set": "rank"}
        | {"close": "close"},
    ),
    "jobs": ("jobs.Jobs", {"list": "page", "show": "get", "put": "put", "again": "again"}),
    "approvals": ("approvals.Approvals", {"list": "page", "show": "get"}),
    "waivers": ("waivers.Waivers", {"list": "page"}),
    "probe": (
        "probes.Probes",
        {"list": "page", "show": "seen", "rate": "rate", "assume": "assume", "challenge": "challenge"}
        | {"assumptions": "assumptions"},
    ),
    "monitor": ("alerts.Alerts", {"alerts": "page", "take": "take", "silence": "silence"}),
}
_OTHERS = {
    "demo": "temper.demos.tour.tour",
    "init": "temper.config.init.write",
    "threats": "temper.api.threats.threats",
    "threats --risk": "temper.api.threats.risk",
    "assess": "temper.assess",
    "attack": "temper.attack",
    "stress": "temper.assess",
    "stress URL": "temper.engine.load.order.LoadTest",
    "fuzz": "temper.engine.fuzz.run.fuzz_model",
    "fuzz URL": "temper.engine.fuzz.run.fuzz_service",
    "redteam": "temper.redteam",
    "layers": "temper.weigh",
    "serve": "temper.gateway.tables.build.serve",
    "console": "temper.web.serve.serve",
    "deploy": "temper.gateway.tables.deploy.deploy",
    "worker": "temper.engine.worker.Worker",
    "backup": "temper.engine.backup.backup",
    "restore": "temper.store.backup.restore.restore",
    "validate": "temper.assess",
    "harden": "temper.harden",
    "compare": "temper.compare",
    "history": "temper.monitoring.triggers.Validation.stale",
    "history --lineage": "temper.store.evidence.lineage.lineage",
    "replay": "temper.api.replay",
    "report": "temper.api.Run.report",
    "results": "temper.api.assistants.results",
    "list": "temper.core.room.Room.names",
    "sign": "temper.targets.signature.sign",
    "verify": "temper.targets.signature.verify",
    "approve": "temper.store.evidence.approving.approve",
    "publish": "temper.engine.registry.publish",
    "check": "temper.api.checks.check",
    "learn": "temper.learn.shelf.concept",
    "doctor": "temper.engine.doctor.examine",
    "ledger verify": "temper.store.evidence.held.verified",
    "ledger show": "temper.store.ledger.inspect.shown",
    "ledger checkpoint": "temper.store.ledger.inspect.signed",
    "ledger replay": "temper.gateway.tables.replay.replayed",
    "ledger open": "temper.store.ledger.inspect.opened",
    "ledger erase": "temper.store.ledger.inspect.erased",
    "drill primary-down": "temper.engine.drill.run.run",
    "drill all": "temper.engine.drill.gameday.game_day",
    "drill proxy": "temper.engine.drill.between.Between",
    "drill list": "temper.engine.drill.catalogue.DRILLS",
    "drill restore": "temper.engine.drill.restore.rehearse",
    "people key": "temper.store.control.signers.Signers.add",
    "reviews again": "temper.store.control.exercises.Exercises.share",
    "reviews plant": "temper.store.control.exercises.Exercises.plant",
    "reviews export": "temper.store.control.outbox.Outbox.after",
    "reviews relay": "temper.engine.labels.relay",
    "policy templates": "temper.config.policy.template",
    "respond list": "temper.response.playbook.names",
    "respond show": "temper.response.playbook.playbook",
    "respond run": "temper.response.run.Run",
    "respond resume": "temper.response.run.resumed",
    "respond undo": "temper.response.run.undo",
    "incidents report": "temper.report.postmortem.render",
    "fleet assess": "temper.api.fleet.fleet_assess",
    "fleet status": "temper.api.fleet.fleet_status",
    "fleet init": "temper.config.portfolio_draft.write",
    "incidents test": "temper.engine.recurrence.command.make",
    "monitor run": "temper.monitoring.making.monitor_of",
    "monitor check": "temper.monitoring.making.monitor_of",
    "monitor watch": "temper.monitoring.making.monitor_of",
    "monitor status": "temper.store.control.windows.Windows.page",
    "monitor export": "temper.report.exported.text",
    "approvals ask": "temper.store.evidence.approving.ask",
    "approvals reject": "temper.store.control.approvals.Approvals.decide",
    "approvals withdraw": "temper.store.control.approvals.Approvals.decide",
    "waivers propose": "temper.store.evidence.waiving.propose",
    "waivers approve": "temper.store.evidence.waiving.decide",
    "waivers reject": "temper.store.evidence.waiving.decide",
    "waivers end": "temper.store.evidence.waiving.decide",
    "probe hand": "temper.api.probes.carried",
    "probe report": "temper.api.probes.report",
    "audit case": "temper.api.assurance.assurance_case",
    "audit export": "temper.engine.audit.export",
}
BY_COMMAND: Mapping[str, str] = _OTHERS | {
    f"{group} {word}": f"{_CONTROL}.{kind}.{method}"
    for group, (kind, words) in _STORES.items()
    for word, method in words.items()
}
"""The command as it is typed, and where its function is."""
