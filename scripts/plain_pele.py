"""The same with plain pele calls on `NNSystem`: copy this file and edit it."""

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from pele.landscape import ConnectManager
from pele.utils.disconnectivity_graph import DisconnectivityGraph

import nnpotential as nnp
from nnpotential.analysis.figures import landscape_graph
from nnpotential.verification.stored import repair

data = nnp.load_dataset("ljat", n_train=100, n_test=1000, seed=0)
net = nnp.MLP([data.n_inputs, 5, data.n_outputs])
system = nnp.NNSystem(net, data, regularization=1e-3, seed=0)

# minima: basin-hopping; its steps and temperature are in system.params
database = system.create_database("plain_pele.sqlite")
system.get_basinhopping(database=database, outstream=None).run(200)
print(database.number_of_minima(), "minima")

# transition states: connect every minimum to the lowest one
manager = ConnectManager(database, strategy="gmin", verbosity=0)
for _ in range(30):
    try:
        min1, min2 = manager.get_connect_job()
    except ConnectManager.NoMoreConnectionsError:
        break
    system.get_double_ended_connect(min1, min2, database, verbosity=0).connect()
print(database.number_of_transition_states(), "transition states")

# all of it polished, verified and merged, as `nnpotential verify --repair` does it
outcomes = repair(system, database)
print(sum(outcome != "ok" for *_, outcome in outcomes), "points failed")

# pele's database2graph would do as well, but draws degenerate rearrangements too
graph = DisconnectivityGraph(landscape_graph(database), nlevels=30, order_by_energy=True)
graph.calculate()
graph.plot(linewidth=1)
plt.ylabel("loss (nats per sample)")
plt.savefig("plain_pele.png", dpi=200)
