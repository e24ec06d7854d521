// Hosts in network namespaces for a test, each with one address on one bridge, so that any pair of
// them can be cut off from each other, in one direction or both, without the two noticing more than
// silence. Processes are named as in TestCluster and have a host each; bootstrap and commands share
// the host with the bridge. Nothing of the machine's own network is touched.
//
// A cut is a lie about the other's MAC address: packets leave, and nobody takes them. Unlike an
// interface that is down or a route that is missing, this gives the sender no error.
import type { Test } from 'tape'
import type { TestHosts } from './cluster.js'
import { mustRun, runTool } from './tools.js'

const NOBODY = '02:00:00:00:00:01'
const HUB = 'hub'
const ON_HUB = new Set(['bootstrap', 'command'])

interface Cut {
  readonly from: string
  readonly to: string
}

export class TestNetwork implements TestHosts {
  readonly #names: readonly string[]
  #cuts: Cut[] = []

  private constructor(names: readonly string[]) {
    this.#names = [HUB, ...names]
  }

  /** Gone at the end of the test; namespaces last as long as processes run in them. */
  static async create(t: Test, names: readonly string[]): Promise<TestNetwork> {
    const network = new TestNetwork(names)
    t.teardown(() => network.#remove())
    for (const name of network.#names) {
      await ip('netns', 'add', namespace(name))
      await ip('-n', namespace(name), 'link', 'set', 'lo', 'up')
    }
    const hub = namespace(HUB)
    await ip('-n', hub, 'link', 'add', 'eth0', 'type', 'bridge')
    await network.#up(HUB)
    for (const name of names) {
      const port = `port-${name}`
      const there = ['peer', 'name', 'eth0', 'netns', namespace(name)]
      await ip('link', 'add', port, 'netns', hub, 'type', 'veth', ...there)
      await ip('-n', hub, 'link', 'set', port, 'master', 'eth0', 'up')
      await network.#up(name)
    }
    return network
  }

  /** All that can be cut off from each other, the one of bootstrap and commands included. */
  get hosts(): readonly string[] {
    return this.#names
  }

  addressOf(name: string): string {
    const host = ON_HUB.has(name) ? HUB : name
    const number = this.#names.indexOf(host) + 1
    if (number === 0) throw new Error(`the test network has no host ${name}`)
    return `10.213.0.${number}`
  }

  commandAt(name: string, command: readonly string[]): readonly string[] {
    const host = ON_HUB.has(name) ? HUB : name
    return ['nsenter', `--net=/run/netns/${namespace(host)}`, ...command]
  }

  /** Nothing passes any more between any of these and any of those. */
  async cut(these: readonly string[], those: readonly string[]): Promise<void> {
    for (const one of these) {
      for (const other of those) {
        await this.#silence({ from: one, to: other })
        await this.#silence({ from: other, to: one })
      }
    }
  }

  async heal(): Promise<void> {
    for (const { from, to } of this.#cuts) {
      await ip('-n', namespace(from), 'neigh', 'del', this.addressOf(to), 'dev', 'eth0')
    }
    this.#cuts = []
  }

  async #silence({ from, to }: Cut): Promise<void> {
    const lie = [this.addressOf(to), 'lladdr', NOBODY, 'nud', 'permanent', 'dev', 'eth0']
    await ip('-n', namespace(from), 'neigh', 'replace', ...lie)
    this.#cuts.push({ from, to })
  }

  async #up(name: string): Promise<void> {
    const address = `${this.addressOf(name)}/24`
    await ip('-n', namespace(name), 'addr', 'add', address, 'dev', 'eth0')
    await ip('-n', namespace(name), 'link', 'set', 'eth0', 'up')
  }

  async #remove(): Promise<void> {
    for (const name of this.#names) await runTool('ip', ['netns', 'del', namespace(name)])
  }
}

/** Several tests may run at a time. */
function namespace(name: string): string {
  return `swarmdisk-${process.pid}-${name}`
}

async function ip(...words: readonly string[]): Promise<void> {
  await mustRun('ip', words)
}
