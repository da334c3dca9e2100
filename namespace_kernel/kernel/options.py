"""What users may configure about the kernel: the traits of `NamespaceKernel`."""

from __future__ import annotations

import os

from traitlets import Bool, CaselessStrEnum, Float, HasTraits, Int, Unicode, Union

from namespace_kernel.reports.receipt import Kind


class KernelOptions(HasTraits):
    """Mixed into the kernel. Each option says what it does where it is defined."""

    report_leaks = Bool(
        True,
        help="Show a line under a cell whose coroutines were never awaited. They are closed in any case.",
    ).tag(config=True)

    report_tasks = Bool(
        True, help="Show a line under a cell that started tasks which still run when it ends."
    ).tag(config=True)

    report_threads = Bool(
        True, help="Show a line under a cell that started threads which still run when it ends."
    ).tag(config=True)

    report_engine_names = Bool(
        True, help="Show a line under a cell that assigned a name of the kernel's, as in `_ = 5`."
    ).tag(config=True)

    report_conflicts = Bool(
        True, help="Show a line under a cell that wrote a name which another cell wrote while it ran."
    ).tag(config=True)

    report_stayed = Bool(
        True,
        help="""Show a line under a cell that ran elsewhere and bound a name, by `with` or `for`, to what
        cannot be copied back.""",
    ).tag(config=True)

    report_idle_loops = Bool(
        True,
        help="Show a line under a cell that set an event loop which has work and which nobody runs.",
    ).tag(config=True)

    plain_cells = CaselessStrEnum(
        ["script", "loop"],
        "script",
        help="""How cells run that neither await nor use the running loop: like a script, where no event loop
        is running, or with "loop" as in ipykernel, with the user loop running around them. `%plain_cells`
        sets it for the notebook.""",
    ).tag(config=True)

    ends_process = Bool(
        True,
        help="""End the process in bounded time when a client asks the kernel to end, whatever still runs.
        `embed_kernel` turns it off: the program goes on.""",
    ).tag(config=True)

    background_cells = Int(
        32, help="How many `%%background` cells may run at a time; further ones wait for their turn."
    ).tag(config=True)

    isolated_processes = Int(
        os.cpu_count() or 1,
        help="How many processes wait, once started, for further `%%isolated` cells.",
    ).tag(config=True)

    isolated_result_limit = Int(
        0,
        help="""How many MiB the results of an `%%isolated` cell may have; above that it fails, and nothing is
        merged. 0 for no limit.""",
    ).tag(config=True)

    dask_result_limit = Int(
        256,
        help="""How many MiB of results a `%%dask` cell hands over; if there are more, they stay on the
        cluster, and their names are bound to Dask futures.""",
    ).tag(config=True)

    conflicts_keep = CaselessStrEnum(
        ["computed", "current"],
        "computed",
        help="""What a name is bound to that was changed here while a cell that runs elsewhere changed it,
        too: to what that cell has computed, or to what it is here.""",
    ).tag(config=True)

    blocking_time = Float(
        2.0,
        help="""Seconds for which a line of code may block the user loop while other tasks wait for it,
        before a line says so; 0 for never.""",
    ).tag(config=True)

    thread_output = CaselessStrEnum(
        ["starter", "latest"],
        "starter",
        help="""Where the output of threads, and of the jobs of thread pools, goes: under the cell that
        started the thread or submitted the job, or under the cell that runs or ran last, as in ipykernel.""",
    ).tag(config=True)

    report_failed_tasks = Bool(
        True,
        help="Show the exception of a task that nobody awaits, under the cell that started the task.",
    ).tag(config=True)

    kept_output = Int(
        16,
        help="How many MiB of the output of recent cells are kept for `%output`; 0 for none.",
    ).tag(config=True)

    keep_errors = Bool(
        False,
        help="""Keep the last error, for `%debug` and `%tb`, until the next one, as ipykernel does, with all
        that its frames hold. Otherwise the next cell that succeeds lets go of it.""",
    ).tag(config=True)

    callback_output = CaselessStrEnum(
        ["cell", "message"],
        "cell",
        help="""Where the output of a widget's callback goes: under the cell that displayed the widget, or to
        the comm message that caused it, as in ipykernel.""",
    ).tag(config=True)

    durable = Union(
        [Bool(), Unicode()],
        default_value=False,
        help="""Keep what cells make on disk from the first cell on, so that `%restore` brings it back after
        the kernel has ended: `True`, or a name where the kernel does not know the notebook's.""",
    ).tag(config=True)

    durable_size = Int(
        20480,
        help="How many MiB the states that `%durable` keeps may take; older ones go first, never the last.",
    ).tag(config=True)

    durable_days = Float(
        30.0,
        help="After how many days a state that `%durable` keeps goes; never the last.",
    ).tag(config=True)

    memory_warning = Float(
        0.85,
        help="""The part of the memory (of the container, of `ulimit -v`, of the machine) that may be in use
        before a line under the running cell says so; 0 for never.""",
    ).tag(config=True)

    memory_stop = Float(
        0.95,
        help="""The part of the memory at which a cell that takes more and more is stopped with
        `MemoryLimitError`, before the system kills the kernel; 0 for never.""",
    ).tag(config=True)

    shutdown_time = Float(
        4.0,
        help="""Seconds from a shutdown request to the end of the process, at most; half of it is for
        ending the running cell. jupyter_client kills a kernel after 5 seconds.""",
    ).tag(config=True)

    tasks_time = Float(
        0.5,
        help="Seconds that tasks get, once they are cancelled, to finish when the kernel ends.",
    ).tag(config=True)

    debug_patience = Float(
        30.0,
        help="Seconds after which a debug request that debugpy does not answer is answered with an error.",
    ).tag(config=True)

    def reports(self, kind: Kind) -> bool:
        """Whether the user wants to see `kind` in the receipts."""
        return {
            Kind.COROUTINES: self.report_leaks,
            Kind.TASKS: self.report_tasks,
            Kind.THREADS: self.report_threads,
            Kind.ENGINE_NAMES: self.report_engine_names,
            Kind.BLOCKING: self.blocking_time > 0,
            Kind.CONFLICTS: self.report_conflicts,
            Kind.STAYED: self.report_stayed,
            Kind.IDLE_LOOPS: self.report_idle_loops,
        }[kind]
