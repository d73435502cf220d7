"""Public conformance laws: run them on your own plugins, one file per room, `LAWS` in each.

A law is a function that raises `LawBroken` with one sentence. Attacks, judges, stressors, checks and defences are given
as classes, targets as an opened target with some rows of it, stages of a table model's guard (`serving`) as they were
made with `serving.profile()`:

    from temper.testing import attack, plugin

    @pytest.mark.parametrize("law", [*plugin.LAWS, *attack.LAWS], ids=lambda law: law.__name__)
    def test_my_attack_keeps(law):
        law(MyAttack)
"""
