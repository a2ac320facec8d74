"""A pytest plugin that drops the processor's long list of flags."""


def pytest_benchmark_update_machine_info(machine_info):
    machine_info["cpu"].pop("flags", None)
