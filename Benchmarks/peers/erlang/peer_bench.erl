%% gen_server calls in one node and between two, restarts by a supervisor and by heart.
%% Each case prints lines of a name, a tab and figures as JSON: `erl -s peer_bench client CASE COUNT`.
-module(peer_bench).
-behaviour(gen_server).
-behaviour(supervisor).
-export([serve/0, client/1, start_counter/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-define(SERVER, 'server@127.0.0.1').

%% The counter, and the supervisor that restarts it.

init(counter) -> {ok, 0};
init(supervisor) ->
    Flags = #{strategy => one_for_one, intensity => 1000000, period => 1},
    {ok, {Flags, [#{id => counter, start => {?MODULE, start_counter, []}}]}}.

start_counter() -> gen_server:start_link({local, counter}, ?MODULE, counter, []).

handle_call(increment, _From, Count) -> {reply, Count + 1, Count + 1};
handle_call(process, _From, Count) -> {reply, os:getpid(), Count}.

handle_cast(_Message, Count) -> {noreply, Count}.

%% The other node: a supervised counter, until the node is stopped.
serve() ->
    %% Whoever starts the supervisor is linked to it, and -s ends.
    spawn(fun() ->
        {ok, _} = supervisor:start_link({local, supervisor}, ?MODULE, supervisor),
        receive after infinity -> ok end
    end).

client([Case, Count]) ->
    try
        run(Case, list_to_integer(atom_to_list(Count)))
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "~p ~p ~p~n", [Class, Reason, Stack]),
            halt(1)
    end,
    halt(0).

run(local, Count) ->
    {ok, Server} = gen_server:start(?MODULE, counter, []),
    Call = fun() -> gen_server:call(Server, increment) end,
    durations(Call, Count),
    print("erlang.call.local", durations(Call, Count)),
    rate("erlang.pipelined.local", pipeline(Server, Count, 1000)),
    [rate("erlang.pairs.local." ++ integer_to_list(Pairs), pairs(counters(Pairs), Count div Pairs))
        || Pairs <- [1, 2, 4]],
    Before = erlang:memory(processes),
    Start = now_us(),
    [gen_server:call(element(2, gen_server:start(?MODULE, counter, [])), increment) || _ <- lists:seq(1, 20000)],
    Each = (now_us() - Start) / 20000,
    erlang:garbage_collect(),
    Bytes = (erlang:memory(processes) - Before) / 20000,
    io:format("erlang.create\t{\"p50\": ~.3f, \"KiB\": ~.3f}~n", [Each, Bytes / 1024]);
run(remote, Count) ->
    await(2000),
    Server = {counter, ?SERVER},
    Call = fun() -> gen_server:call(Server, increment) end,
    durations(Call, Count div 5),
    print("erlang.call.remote", durations(Call, Count)),
    rate("erlang.pipelined.remote", pipeline(Server, Count * 2, 1000)),
    [begin
        Servers = [rpc:call(?SERVER, gen_server, start, [?MODULE, counter, []]) || _ <- lists:seq(1, Pairs)],
        rate("erlang.pairs.remote." ++ integer_to_list(Pairs), pairs([Pid || {ok, Pid} <- Servers], Count div Pairs))
     end || Pairs <- [1, 2, 4]];
run(restart, Count) ->
    %% Reports of deaths are what the logger is for; here they would be most of the work.
    logger:set_primary_config(level, none),
    {ok, _} = supervisor:start_link({local, supervisor}, ?MODULE, supervisor),
    samples("erlang.restart", durations(fun() ->
        Old = whereis(counter),
        exit(Old, kill),
        await_restart(Old)
    end, Count));
run(heart, Count) ->
    await(2000),
    samples("erlang.heart", [kill_node() || _ <- lists:seq(1, Count)]);
run(stop, _) ->
    pong = net_adm:ping(?SERVER),
    rpc:call(?SERVER, init, stop, []).

counters(Count) -> [element(2, gen_server:start(?MODULE, counter, [])) || _ <- lists:seq(1, Count)].

%% Keeps a window of requests under way.
pipeline(Server, Count, Window) ->
    Start = now_us(),
    Requests = [gen_server:send_request(Server, increment) || _ <- lists:seq(1, Window)],
    answer(Server, queue:from_list(Requests), Count - Window, Count),
    Count * 1.0e6 / (now_us() - Start).

answer(_Server, _Requests, _Unsent, 0) -> ok;
answer(Server, Requests, Unsent, Unanswered) ->
    {{value, Request}, Rest} = queue:out(Requests),
    {reply, _} = gen_server:wait_response(Request, 10000),
    case Unsent > 0 of
        true ->
            Next = queue:in(gen_server:send_request(Server, increment), Rest),
            answer(Server, Next, Unsent - 1, Unanswered - 1);
        false ->
            answer(Server, Rest, 0, Unanswered - 1)
    end.

%% A caller for each server, with a share of the window.
pairs(Servers, Count) ->
    Self = self(),
    Window = min(Count, 1000 div length(Servers)),
    Start = now_us(),
    [spawn_link(fun() -> pipeline(Server, Count, Window), Self ! done end) || Server <- Servers],
    [receive done -> ok end || _ <- Servers],
    Count * length(Servers) * 1.0e6 / (now_us() - Start).

await_restart(Old) ->
    case whereis(counter) of
        New when is_pid(New), New =/= Old ->
            try gen_server:call(New, increment) catch exit:_ -> await_restart(Old) end;
        _ ->
            erlang:yield(),
            await_restart(Old)
    end.

%% From kill -9 of the other node to an answer of the one that heart started.
kill_node() ->
    Old = gen_server:call({counter, ?SERVER}, process),
    timer:sleep(500),
    Start = now_us(),
    os:cmd("kill -9 " ++ Old),
    await_node(Old, 5000),
    now_us() - Start.

await_node(_Old, 0) -> error(no_restart);
await_node(Old, Tries) ->
    case catch gen_server:call({counter, ?SERVER}, process, 2000) of
        New when is_list(New), New =/= Old -> ok;
        _ -> timer:sleep(2), await_node(Old, Tries - 1)
    end.

await(0) -> error(no_server);
await(Tries) ->
    case net_adm:ping(?SERVER) =:= pong andalso is_integer(catch gen_server:call({counter, ?SERVER}, increment)) of
        true -> ok;
        false -> timer:sleep(5), await(Tries - 1)
    end.

now_us() -> erlang:monotonic_time(nanosecond) / 1000.

durations(Action, Count) ->
    [begin Start = now_us(), Action(), now_us() - Start end || _ <- lists:seq(1, Count)].

print(Name, Durations) ->
    Sorted = lists:sort(Durations),
    At = fun(Percent) -> lists:nth(max(1, ceil(length(Sorted) * Percent / 100)), Sorted) end,
    io:format("~s\t{\"p50\": ~.3f, \"p99\": ~.3f, \"per second\": ~.1f}~n", [Name, At(50), At(99), 1.0e6 / At(50)]).

rate(Name, Rate) -> io:format("~s\t{\"per second\": ~.1f}~n", [Name, Rate]).

samples(Name, Durations) ->
    io:format("~s\t{\"samples\": [~s]}~n", [Name, lists:join(", ", [io_lib:format("~.2f", [D]) || D <- Durations])]).
