%% Plays scenarios with OTP's own supervisor and prints a line for each step: what a call gave, who started and stopped, who is alive.

-module(otp_player).
-behaviour(supervisor).
-export([start/0, init/1, start_link/1, start_link/2, handle_call/3, handle_cast/2, terminate/2]).

start() ->
    process_flag(trap_exit, true),
    {ok, Scenarios} = file:consult("scenarios"),
    lists:foreach(fun play/1, Scenarios),
    halt(0).

play({Above, Keep, Strategy, Restarts, Auto, Parts, Steps}) ->
    book = ets:new(book, [named_table, public, ordered_set]),
    put(strategy, Strategy),
    Flags = #{strategy => Strategy, intensity => Restarts, period => 3600, auto_shutdown => Auto},
    Begun = supervisor:start_link(?MODULE, {root, Above, Keep, {Flags, [spec(Part) || Part <- Parts]}}),
    case Begun of
        {ok, Root} ->
            told(ok, Root),
            steps(Steps, Root);
        _ ->
            io:format("fails [~s] ended~n", [trace()])
    end,
    flush(),
    ets:delete(book),
    io:format("played~n").

steps([], Root) ->
    stop(Root),
    io:format("stopped [~s] ended~n", [trace()]);
steps([Step | Steps], Root) ->
    Given = step(Step, team),
    case told(Given, Root) of
        ended -> stop(Root);
        alive -> steps(Steps, Root)
    end.

stop(Root) ->
    unlink(Root),
    Monitor = monitor(process, Root),
    exit(Root, shutdown),
    receive {'DOWN', Monitor, process, _, _} -> ok end.

step({'end', Name, How}, Team) ->
    case pid(Name, Team) of
        none -> down;
        Pid ->
            Monitor = monitor(process, Pid),
            case How of
                kill -> exit(Pid, kill);
                _ -> gen_server:cast(Pid, How)
            end,
            receive {'DOWN', Monitor, process, _, _} -> ok end
    end;
step({terminate, Name}, Team) -> given(catch supervisor:terminate_child(Team, id(Name, Team)));
step({restart, Name}, Team) -> given(catch supervisor:restart_child(Team, Name));
step({delete, Name}, Team) -> given(catch supervisor:delete_child(Team, Name));
step({add, Part = {Name, _, _, _, Starts}}, Team) ->
    Child = case is_dynamic() of true -> [Name, Starts]; false -> spec(Part) end,
    given(catch supervisor:start_child(Team, Child)).

%% Children of a dynamic supervisor are known by their processes alone.
is_dynamic() -> get(strategy) =:= simple_one_for_one.

id(Name, Team) ->
    case is_dynamic() andalso pid(Name, Team) of
        false -> Name;
        none -> self();
        Pid -> Pid
    end.

given(ok) -> ok;
given({ok, undefined}) -> ignored;
given({ok, _}) -> ok;
given({error, {already_started, _}}) -> already_started;
given({error, Known}) when Known =:= not_found; Known =:= running; Known =:= restarting; Known =:= already_present; Known =:= simple_one_for_one -> Known;
given({error, _}) -> fails;
given({'EXIT', _}) -> gone.

%% Once nothing is being restarted any more.
told(Given, Root) ->
    rest(20),
    case {has_team(Root), is_settled(team)} of
        {true, true} ->
            io:format("~s [~s] ~s~n", [Given, trace(), lists:join(" ", children())]),
            alive;
        {false, _} ->
            io:format("~s [~s] ended~n", [Given, trace()]),
            ended;
        _ ->
            told(Given, Root)
    end.

children() ->
    Children = lists:reverse(supervisor:which_children(team)),
    case is_dynamic() of
        true -> lists:sort([lists:flatten(shown(gen_server:call(Pid, name), Pid)) || {_, Pid, _, _} <- Children]);
        false -> [shown(Name, Pid) || {Name, Pid, _, _} <- Children]
    end.

rest(0) -> ok;
rest(Turns) -> erlang:yield(), rest(Turns - 1).

%% Whether it has one, or is about to.
has_team(Root) ->
    case catch supervisor:which_children(Root) of
        [{team, Team, _, _}] -> Team =/= undefined;
        _ -> false
    end.

is_settled(Supervisor) ->
    case catch supervisor:which_children(Supervisor) of
        {'EXIT', _} -> false;
        Children -> not lists:keymember(restarting, 2, Children)
    end.

shown(Name, undefined) -> io_lib:format("~s:-", [Name]);
shown(Name, Pid) -> io_lib:format("~s:~b", [Name, gen_server:call(Pid, life)]).

pid(Name, Team) ->
    Found = [Pid || {Id, Pid, _, _} <- supervisor:which_children(Team), is_pid(Pid), is_named(Name, Id, Pid)],
    case Found of [Pid] -> Pid; [] -> none end.

is_named(Name, undefined, Pid) -> gen_server:call(Pid, name) =:= Name;
is_named(Name, Id, _) -> Name =:= Id.

flush() -> receive _ -> flush() after 0 -> ok end.

%% Who did what since the last look.
trace() ->
    Written = [{Key, What} || {Key = {line, _}, What} <- ets:tab2list(book)],
    [ets:delete(book, Key) || {Key, _} <- Written],
    Lines = [lists:flatten(What) || {_, What} <- Written],
    %% Children of a dynamic supervisor stop all at once.
    lists:join(" ", case is_dynamic() of true -> lists:sort(Lines); false -> Lines end).

write(Name, Mark) -> ets:insert(book, {{line, erlang:unique_integer([monotonic])}, io_lib:format("~s~s", [Name, Mark])}).

spec({Name, Restart, Significant, Brutal, Starts}) ->
    %% The one part of a dynamic supervisor says what all of its children are like.
    Arguments = case is_dynamic() of true -> []; false -> [Name, Starts] end,
    Shutdown = case Brutal of true -> brutal_kill; false -> 5000 end,
    #{id => Name, start => {?MODULE, start_link, Arguments}, restart => Restart, significant => Significant, shutdown => Shutdown}.

start_link(Name, Starts) -> gen_server:start_link(?MODULE, {child, Name, Starts}, []).

start_link(Team) -> supervisor:start_link({local, team}, ?MODULE, {team, Team}).

init({root, Above, Keep, Team}) ->
    Spec = #{id => team, start => {?MODULE, start_link, [Team]}, restart => Keep, type => supervisor, shutdown => infinity},
    {ok, {#{strategy => one_for_one, intensity => Above, period => 3600}, [Spec]}};
init({team, Team}) -> {ok, Team};
init({child, Name, Starts}) ->
    process_flag(trap_exit, true),
    Life = ets:update_counter(book, {lives, Name}, 1, {{lives, Name}, 0}),
    case lists:nth(min(Life, length(Starts)), Starts) of
        ok -> write(Name, "+"), {ok, {Name, Life}};
        ignore -> write(Name, "?"), ignore;
        fail -> write(Name, "!"), {stop, failed}
    end.

handle_call(life, _, State = {_, Life}) -> {reply, Life, State};
handle_call(name, _, State = {Name, _}) -> {reply, Name, State}.

handle_cast(normal, State) -> {stop, normal, State};
handle_cast(error, State) -> {stop, told_to, State}.

terminate(shutdown, {Name, _}) -> write(Name, "-");
terminate(_, _) -> ok.
