// What managers, and whoever follows the configuration, do for one change: times and sizes.
import type { PeerId } from '../../src/base/brands.js'
import type { Configuration } from '../../src/layout/configuration.js'
import { difference, patch } from '../../src/layout/delta.js'
import { touchedServers } from '../../src/layout/effects-of-change.js'
import { newcomers } from '../../src/layout/movement/newcomers.js'
import { MovementMemory, planMoves } from '../../src/layout/movement/plan.js'
import { planReturn } from '../../src/layout/placement/planner.js'
import { Settled } from '../../src/layout/placement/settled.js'
import type { Connected } from '../../src/layout/replicas.js'
import { statusOf, type View } from '../../src/manager/admin/status.js'
import {
  decodeConfiguration,
  decodeDelta,
  encodeConfiguration,
  encodeDelta,
} from '../../src/net/codecs/configuration.js'
import {
  clientOpens,
  everybody,
  MANAGER,
  must,
  serverGoes,
  serverJoins,
  volumeComes,
  type Cluster,
} from './cluster.js'
import { middleBy } from '../shared/statistics.js'

const RUNS = 5
const NOBODY: ReadonlySet<PeerId> = new Set()

/** Milliseconds; bytes where the name says so. */
export type Figures = Readonly<Record<string, number>>

function median(work: () => unknown): number {
  const times: number[] = []
  for (let i = 0; i < RUNS; i++) times.push(once(work))
  return middleBy(times, time => time)
}

export function decisions(cluster: Cluster): Figures {
  const { configuration } = cluster
  const opened = must(configuration, clientOpens(configuration))
  return {
    ...changes(cluster),
    ...messages(configuration, opened),
    ...plans(configuration, opened),
    'answer to status': median(() => JSON.stringify(statusOf(viewOf(opened)))),
    'bytes of status': JSON.stringify(statusOf(viewOf(opened))).length,
  }
}

function changes(cluster: Cluster): Figures {
  const { configuration } = cluster
  const open = clientOpens(configuration)
  const opened = must(configuration, open)
  const volume = volumeComes(cluster)
  const down = serverGoes(configuration)
  return {
    'place a volume': median(() => volumeComes(cluster)),
    'apply: a volume': median(() => must(configuration, volume)),
    'apply: a client opens': median(() => must(configuration, open)),
    'apply: a server is down': median(() => must(configuration, down)),
    'who votes on a change': median(() => touchedServers(configuration, opened)),
  }
}

function messages(before: Configuration, opened: Configuration): Figures {
  const without = must(before, serverGoes(before))
  const small = encodeDelta(difference(before, opened))
  const large = encodeDelta(difference(before, without))
  const all = encodeConfiguration(before)
  return {
    'encode: a client opens': median(() => encodeDelta(difference(before, opened))),
    'take up: a client opens': median(() => patch(before, decodeDelta(small))),
    'encode: a server is down': median(() => encodeDelta(difference(before, without))),
    'take up: a server is down': median(() => patch(before, decodeDelta(large))),
    'encode everything': median(() => encodeConfiguration(before)),
    'decode everything': median(() => decodeConfiguration(all)),
    'bytes: a client opens': small.byteLength,
    'bytes: a server is down': large.byteLength,
    'bytes of everything': all.byteLength,
  }
}

/** A leader has planned before, and plans again after a change. */
function plans(configuration: Configuration, opened: Configuration): Figures {
  const connected = everybody(configuration)
  const settled = new Settled()
  const memory = new MovementMemory()
  const view = { configuration, connected, gone: NOBODY, joining: NOBODY }
  const first = {
    'plan returns, first': once(() => planReturn(configuration, connected, settled)),
    'plan moves, first': once(() => planMoves(view, NOBODY, memory)),
  }
  const next = { ...view, configuration: opened }
  return {
    ...first,
    'plan returns: a client opens': median(() => planReturn(opened, connected, settled)),
    'plan moves: a client opens': median(() => planMoves(next, NOBODY, memory)),
    ...rebuilding(configuration),
    ...joining(configuration, connected),
  }
}

/** A server has been away for long: its copies are made elsewhere, a few at a time. */
function rebuilding(configuration: Configuration): Figures {
  const down = serverGoes(configuration)
  const without = must(configuration, down)
  const connected = everybody(without)
  connected.delete(down.server)
  const gone = new Set([down.server])
  const view = { configuration: without, connected, gone, joining: NOBODY }
  const [settled, memory] = [new Settled(), new MovementMemory()]
  const first = {
    'plan returns: a server is down': once(() => planReturn(without, connected, settled)),
    'plan moves: a server is gone': once(() => planMoves(view, NOBODY, memory)),
  }
  const { copy } = planMoves(view, NOBODY, memory)
  if (copy === null) throw new Error('copies that are missing are made')
  const next = { ...view, configuration: must(without, copy) }
  return { ...first, 'plan the next moves': median(() => planMoves(next, NOBODY, memory)) }
}

/** A new server gets its share, a few copies at a time. */
function joining(before: Configuration, connected: Connected): Figures {
  const change = serverJoins(before.servers.size + 1)
  const after = must(before, change)
  const news = newcomers(NOBODY, before, after)
  const all = new Map([...connected, ...everybody(after)])
  const view = { configuration: after, connected: all, gone: NOBODY, joining: news }
  const memory = new MovementMemory()
  return { 'plan the share of a new server': once(() => planMoves(view, NOBODY, memory)) }
}

function once(work: () => unknown): number {
  const began = performance.now()
  work()
  return performance.now() - began
}

function viewOf(configuration: Configuration): View {
  return {
    ...{ configuration, self: MANAGER, leader: MANAGER, managers: [], newerElsewhere: 0 },
    ...{ connected: everybody(configuration), storageReports: new Map() },
    ...{ clientReports: new Map(), seen: () => ({ lastSeen: null, expired: false }) },
    progress: { drainOf: () => null, syncSeconds: () => null },
  }
}
