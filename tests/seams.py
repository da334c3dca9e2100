"""The private and undocumented names of others that the package reads, calls or overrides, by library.

An owner is a module or a class. A class has a name, too, that its methods give to `self`. What stands in
brackets are the arguments that are given: the function must be callable with them, by position, or by name
where `=` follows. Of names with `|` between them one is there, depending on the version.

What the package patches is in `namespace_kernel.patches`; what it overrides says so in its docstring.
"""

from __future__ import annotations

PYTHON = {
    "asyncio": "_get_running_loop() _set_running_loop(loop) set_event_loop(loop) all_tasks(loop) "
    "create_task(coro,name=)",
    "asyncio.Handle": "_run() _callback _context",
    "asyncio.TimerHandle": "_scheduled",
    "asyncio.SelectorEventLoop": "_ready _scheduled _selector _signal_handlers _thread_id _run_once() "
    "_write_to_self() _check_closed() _check_running() _check_signal(sig) _handle_signal(sig) "
    "_asyncgen_firstiter_hook(agen) _asyncgen_finalizer_hook(agen)",
    "asyncio.Task": "_coro _log_traceback _callbacks _fut_waiter",
    "asyncio.base_subprocess.BaseSubprocessTransport": "_connect_pipes(waiter)",
    "asyncio.base_futures": "_format_callbacks(cb)",
    "asyncio.events": "_set_event_loop_policy|set_event_loop_policy",
    "asyncio.tasks": "_all_tasks|_scheduled_tasks _current_tasks",
    "atexit": "_run_exitfuncs()",
    "concurrent.futures.thread": "_worker",
    "contextlib.redirect_stdout": "_stream _new_target _old_targets",
    "dis": "_parse_exception_table(code)",
    "enum.Enum": "_member_map_ _member_type_",
    "functools": "_lru_cache_wrapper",
    "multiprocessing.reduction.ForkingPickler": "_extra_reducers",
    "multiprocessing.context.SpawnContext": "get_context(method)",
    "multiprocessing.forkserver": "_forkserver",
    "multiprocessing.forkserver.ForkServer": "_forkserver_pid",
    "multiprocessing.pool.ThreadPool": "apply_async(func,callback=,error_callback=) "
    "_map_async(func,iterable,mapper,callback=,error_callback=) imap(func,iterable)",
    "multiprocessing.resource_tracker": "_resource_tracker",
    "multiprocessing.resource_tracker.ResourceTracker": "_pid",
    "multiprocessing.spawn": "get_preparation_data(name)",
    "multiprocessing.util": "_args_from_interpreter_flags()",
    "os": "_exit(status)",
    "subprocess": "_args_from_interpreter_flags()",
    "sys": "_current_frames() _getframe(depth)",
    "threading.Thread": "_started _initialized _target _bootstrap_inner()",
    "_thread.RLock": "_is_owned()",
    "warnings": "_filters_mutated() _showwarnmsg_impl(msg) _warn_unawaited_coroutine(coroutine)",
}

IPYTHON = {
    "IPython.core.async_helpers": "_asyncio_runner _pseudo_sync_runner(coro)",
    "IPython.core.builtin_trap.BuiltinTrap": "_nested_level",
    "IPython.core.compilerop.CachingCompiler": "_filename_map",
    "IPython.core.completer.IPCompleter": "_extract_code(line)",
    "IPython.core.history.HistoryManager": "_i _ii _iii _instances _switch_to_memory_history()",
    "IPython.core.interactiveshell.InteractiveShell": "_clear_warning_registry() _get_exc_info(exc_tuple) "
    "_showtraceback(etype,evalue,stb)",
    "IPython.core.magic.MagicsManager": "_loaded_lazy|magics",
    "IPython.core.magics.execution": "_format_time(seconds)",
    "IPython.core.tbtools.FrameInfo": "_sd _from_stack_data_FrameInfo(frame_info)",
    "IPython.core.tbtools.TBTools": "_theme_name",
    "IPython.utils._process_common": "arg_split(text)",
    "stack_data.core": "_pygmented_with_ranges(formatter,code,ranges)",
}

JUPYTER = {
    "ipykernel._version": "kernel_protocol_version",
    "ipykernel.debugger": "_is_debugpy_available",
    "ipykernel.debugger.Debugger": "_accept_stopped_thread(name)",
    "ipykernel.debugger.DebugpyClient": "_forward_event(msg) _send_request(msg)",
    "ipykernel.displayhook.ZMQShellDisplayHook": "_hooks",
    "ipykernel.iostream.IOPubThread": "_handle_subscription(frames) _master_pid _pipe_uuid _really_send(msg)",
    "ipykernel.iostream.OutStream": "_fid _hooks _original_stdstream_copy _original_stdstream_fd "
    "_should_watch _parent_header _parent_header_global",
    "ipykernel.kernelbase.Kernel": "_get_shell_context_var(var) _shell_parent _shell_parent_ident "
    "_topic(topic) _publish_status(status,channel) _send_abort_reply(stream,msg,idents) "
    "_send_unknown_subshell_reply(idents,msg,error) _shutdown_message _at_shutdown()",
    "ipykernel.zmqshell.ZMQInteractiveShell": "_last_traceback _last_traceback_during_displayhook",
    "jupyter_client._version": "protocol_version",
    "jupyter_client.session.Session": "_add_digest(signature)",
    "traitlets.HasTraits": "_trait_values",
    "traitlets.config.Application": "_log_formatter_cls _configure_logging() _logging_configured",
    "zmq.eventloop.zmqstream.ZMQStream": "_recv_callback _recv_copy _run_callback(callback,frames)",
}

OTHERS = {
    "cloudpickle.cloudpickle": "_DYNAMIC_CLASS_TRACKER_BY_CLASS _DYNAMIC_CLASS_TRACKER_BY_ID "
    "_class_setstate(obj,state) _code_reduce(code) _get_or_create_tracker_id(kind) _make_skeleton_class "
    "_make_skeleton_enum _lookup_class_or_track(class_tracker_id,class_def) _lookup_module_and_qualname(obj) "
    "_should_pickle_by_reference(obj)",
    "distributed.Client": "_send_to_scheduler(message)",
    "distributed.Future": "_bind_late() _client",
    "ipympl.backend_nbagg._Backend_ipympl": "_draw_called _to_show",
    "jedi.api.completion.Completion": "_complete_global_scope() _complete_python(leaf) _fuzzy _like_name",
    "jedi.inference.compiled.value.CompiledValueFilter": "_get(name,allowed,in_dir) _inference_state",
    "jedi.inference.compiled.mixed": "_load_module(state,path)",
    "jedi.inference.flow_analysis": "_check_if(context,node)",
    "matplotlib.cbook.CallbackRegistry": "_pickled_cids",
    "matplotlib_inline.backend_inline.show": "_draw_called _to_draw",
    "parso.cache": "_load_from_file_system(hashed_grammar,path,time,cache_path) "
    "_save_to_file_system(hashed_grammar,path,item,cache_path) _remove_cache_and_update_lock(cache_path)",
    "parso.grammar.Grammar": "_hashed",
    "_pydevd_bundle.pydevd_api.PyDevdAPI": "request_resume_thread(thread_id) "
    "set_dont_trace_start_end_patterns(debugger,start,end)",
    "pydevd": "get_global_debugger()",
}

SEAMS = {**PYTHON, **IPYTHON, **JUPYTER, **OTHERS}
