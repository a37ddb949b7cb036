%% The Erlang subject: each measure prints its figures, one a line, and halts; a wrong answer halts with an error.
-module(triarch_peer).
-behaviour(gen_server).
-export([main/0, start_link/2, start_link/3, init/1, handle_call/3, handle_cast/2, handle_info/2]).

main() ->
    [Measure | Numbers] = init:get_plain_arguments(),
    try measure(Measure, [list_to_integer(Number) || Number <- Numbers]) of
        Figures ->
            [io:format("~w~n", [Figure]) || Figure <- Figures],
            halt(0)
    catch
        Class:Reason:Stack ->
            io:format("~p ~p ~p~n", [Class, Reason, Stack]),
            halt(1)
    end.

measure("tell", [Producers, Receivers, Words, Messages]) -> [tell(Producers, Receivers, Words, Messages)];
measure("ask", [Asker, Answerer, Asks]) -> ask(Asker, Answerer, Asks);
measure("fleet", [Agents]) -> fleet(Agents);
measure("million", [Agents]) -> million(Agents);
measure("error", [Siblings, Restarts]) -> restart(fail, Siblings, Restarts);
measure("panic", [Siblings, Restarts]) -> restart(panic, Siblings, Restarts).

now_ns() -> erlang:monotonic_time(nanosecond).

%% Tells: bare processes, messages of 2 or 8 words, counted and added up at the receiver.

tell(Producers, Receivers, Words, Messages) ->
    run_tell(Producers, Receivers, Words, Messages div 10),
    run_tell(Producers, Receivers, Words, Messages).

run_tell(Producers, Receivers, Words, Messages) ->
    Each = Messages div Producers,
    Shares = Producers div Receivers,
    Main = self(),
    %% Off the heap, several senders can append at once; one sender is better off without.
    Queue = case Shares of 1 -> on_heap; _ -> off_heap end,
    Sinks = [spawn_opt(fun() -> sink(Main, Shares * Each, Shares * 3 * (Each * (Each - 1) div 2), 0) end,
                       [{message_queue_data, Queue}, {min_heap_size, 4096}])
             || _ <- lists:seq(1, Receivers)],
    [spawn(fun() ->
               Main ! {first, now_ns()},
               produce(Words, lists:nth(N rem Receivers + 1, Sinks), 0, Each)
           end) || N <- lists:seq(0, Producers - 1)],
    First = lists:min([receive {first, At} -> At end || _ <- lists:seq(1, Producers)]),
    Last = lists:max([receive {last, At} -> At after 60000 -> error(messages_missing) end || _ <- Sinks]),
    Producers * Each / ((Last - First) / 1.0e9).

produce(_, _, Each, Each) -> ok;
produce(2, Sink, N, Each) -> Sink ! {N, N}, yield(N), produce(2, Sink, N + 1, Each);
produce(8, Sink, N, Each) -> Sink ! {N, N, N, N, N, N, N, N}, yield(N), produce(8, Sink, N + 1, Each).

%% Like the other subjects without a bound: a producer yields every 64 messages.
yield(N) when N band 63 =:= 63 -> erlang:yield();
yield(_) -> ok.

sink(Main, 0, Sum, Sum) -> Main ! {last, now_ns()};
sink(Main, 0, Expected, Sum) -> Main ! {wrong, Expected, Sum};
sink(Main, Left, Expected, Sum) ->
    receive
        {N, M} -> sink(Main, Left - 1, Expected, Sum + N + 2 * M);
        {N, _, _, _, _, _, _, M} -> sink(Main, Left - 1, Expected, Sum + N + 2 * M)
    end.

%% Asks: gen_server:call, asker and answerer each bound to a scheduler.

ask(Asker, Answerer, Asks) ->
    Main = self(),
    {ok, Server} = gen_server:start(?MODULE, answerer, [{spawn_opt, [{scheduler, Answerer}]}]),
    spawn_opt(fun() ->
                  ask_all(Server, 0, Asks div 10, []),
                  Main ! {asked, ask_all(Server, 0, Asks, [])}
              end, [{scheduler, Asker}, {min_heap_size, 4 * Asks}]),
    receive {asked, Times} ->
        Sorted = lists:sort(Times),
        [lists:nth(max(1, ceil(Asks * Percent / 100)), Sorted) || Percent <- [50, 99]]
    end.

ask_all(_, Asks, Asks, Times) -> Times;
ask_all(Server, N, Asks, Times) ->
    Asked = now_ns(),
    Answer = gen_server:call(Server, {question, N}, infinity),
    Elapsed = now_ns() - Asked,
    Answer = 3 * N + 1,
    ask_all(Server, N + 1, Asks, [Elapsed | Times]).

%% Fleets under one supervisor.

fleet(Agents) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, fleet),
    unlink(Supervisor),
    Before = resident(),
    Spawning = now_ns(),
    [{ok, _} = supervisor:start_child(Supervisor, []) || _ <- lists:seq(1, Agents)],
    Spawned = now_ns() - Spawning,
    timer:sleep(300),
    Resident = (resident() - Before) / Agents,
    Monitor = monitor(process, Supervisor),
    Stopping = now_ns(),
    exit(Supervisor, shutdown),
    receive {'DOWN', Monitor, process, _, shutdown} -> ok end,
    [Spawned / 1.0e9, Resident, (now_ns() - Stopping) / 1.0e9].

million(Agents) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, fleet),
    Main = self(),
    Counter = spawn_link(fun() -> count_hellos(Agents), Main ! {counted, now_ns()} end),
    Before = resident(),
    Spawning = now_ns(),
    spawn_million(Supervisor, Counter, Agents),
    receive {counted, At} -> [(At - Spawning) / 1.0e9, (resident() - Before) / Agents] end.

spawn_million(_, _, 0) -> ok;
spawn_million(Supervisor, Counter, Left) ->
    {ok, Agent} = supervisor:start_child(Supervisor, []),
    gen_server:cast(Agent, {hello, Counter}),
    spawn_million(Supervisor, Counter, Left - 1).

count_hellos(0) -> ok;
count_hellos(Left) -> receive hello -> count_hellos(Left - 1) end.

resident() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [KibiBytes]} = re:run(Status, "VmRSS:\\s+(\\d+)", [{capture, all_but_first, list}]),
    list_to_integer(KibiBytes) * 1024.

%% Restarts: the replacement casts itself the message that ends the outage.

%% A supervisor walks its list of the restarts within the period (a second at least) at each restart, so each gets
%% only a hundred: back to back, thousands of them would measure that list.

-define(RESTARTS_EACH, 100).

restart(Failure, Siblings, Restarts) ->
    persistent_term:put(failed_at, atomics:new(1, [])),
    Supervisors = lists:seq(1, max(1, Restarts div ?RESTARTS_EACH)),
    Outages = lists:append([outages(Failure, Siblings) || _ <- Supervisors]),
    [lists:nth(ceil(length(Outages) * Percent / 100), lists:sort(Outages)) / 1000 || Percent <- [50, 99]].

outages(Failure, Siblings) ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, restarts),
    unlink(Supervisor),
    [{ok, _} = supervisor:start_child(Supervisor, worker(N, none)) || N <- lists:seq(1, Siblings)],
    {ok, _} = supervisor:start_child(Supervisor, worker(victim, self())),
    receive {ended, _} -> ok end,
    fail(Failure, ?RESTARTS_EACH div 10, []),
    Outages = fail(Failure, ?RESTARTS_EACH, []),
    Monitor = monitor(process, Supervisor),
    exit(Supervisor, shutdown),
    receive {'DOWN', Monitor, process, _, shutdown} -> Outages end.

fail(_, 0, Outages) -> Outages;
fail(Failure, Left, Outages) ->
    gen_server:cast(victim, Failure),
    receive {ended, At} ->
        fail(Failure, Left - 1, [At - atomics:get(persistent_term:get(failed_at), 1) | Outages])
    after 20000 -> error(no_replacement)
    end.

worker(Id, Main) -> #{id => Id, start => {?MODULE, start_link, [worker, Id, Main]}, shutdown => brutal_kill}.

start_link(worker, victim, Main) -> gen_server:start_link({local, victim}, ?MODULE, {worker, Main}, []);
start_link(worker, _, Main) -> gen_server:start_link(?MODULE, {worker, Main}, []).

start_link(idle, _) -> gen_server:start_link(?MODULE, idle, []).

init(fleet) ->
    {ok, {#{strategy => simple_one_for_one},
          [#{id => idle, start => {?MODULE, start_link, [idle, none]}, shutdown => 5000}]}};
init(restarts) -> {ok, {#{strategy => one_for_one, intensity => 100000000, period => 1}, []}};
init({worker, none}) -> {ok, none};
init({worker, Main}) -> gen_server:cast(self(), work), {ok, Main};
init(State) -> {ok, State}.

handle_call({question, N}, _, State) -> {reply, 3 * N + 1, State}.

handle_cast(work, Main) -> Main ! {ended, now_ns()}, {noreply, Main};
handle_cast({hello, Main}, State) -> Main ! hello, {noreply, State};
handle_cast(fail, Main) -> failed(), {stop, ordered_to_fail, Main};
handle_cast(panic, _) -> failed(), error(ordered_to_panic).

handle_info(_, State) -> {noreply, State}.

failed() -> atomics:put(persistent_term:get(failed_at), 1, now_ns()).
