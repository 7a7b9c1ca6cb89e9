"""The metric families of backups, as documented and as the golden exposition has them."""

from exporter.backups.families import families
from exporter.exposition import render
from tests.golden import backups as golden
from tests.metric_names import METRICS


def test_each_family_has_a_sample_in_the_golden_input_and_is_documented() -> None:
    found = golden.families()
    assert [family.name for family in found if not family.samples] == []
    assert {family.name for family in found} <= METRICS
    assert [family.name for family in found] == [family.name for family in families([])]


def test_the_golden_input_is_the_same_wherever_it_is_rendered() -> None:
    text = render(golden.families()).text.decode()
    assert 'upkeeper_backup_last_success_timestamp_seconds{backup="pa"} 1.7954856e+09\n' in text
    assert 'upkeeper_backup_last_success_timestamp_seconds{backup="usb-disk"}' not in text
