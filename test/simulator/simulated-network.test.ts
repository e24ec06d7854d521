// The simulated network keeps the same contract as the real one.
import { idOf } from '../net/peers-fixture.js'
import { networkContract } from '../contracts/network-contract.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedSwarm } from './simulated-network.js'
import { VirtualClock } from './virtual-clock.js'

networkContract('simulated network', () => {
  const clock = new VirtualClock()
  const swarm = new SimulatedSwarm({ clock, random: new SeededRandom(1) })
  const names = Array.from({ length: 20 }, (_, i) => String.fromCharCode(97 + i))
  return Promise.resolve({
    make: role => {
      const name = names.shift()!
      const server = role === 'server'
      return swarm.network(idOf(name), {
        server,
        addresses: server ? [{ host: name, port: 1 }] : [],
      })
    },
    until: (what, condition) => clock.until(what, condition),
    settle: (what, promise) => clock.settle(what, promise),
    end: () => Promise.resolve(),
  })
})
