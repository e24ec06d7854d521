// Storage servers as people read them, and what is left of emptying one.
import type { DrainResult, ServerDrainResult, ServerResult } from '../../net/admin.js'
import { formatSize } from '../size.js'
import { renderTable } from './table.js'

export function renderServers(servers: readonly ServerResult[]): string {
  return renderTable(servers, [
    { title: 'SERVER', cell: server => server.name },
    { title: 'STATE', cell: stateOf },
    { title: 'SHARDS', align: 'right', cell: server => String(server.shards) },
    { title: 'USED', align: 'right', cell: server => formatSize(server.used) },
    { title: 'CAPACITY', align: 'right', cell: server => formatSize(server.capacity) },
    { title: 'DOMAIN', cell: server => server.domain },
    { title: 'ADDRESS', cell: server => server.addresses.join(' ') },
    { title: 'PROBLEM', cell: server => server.problem },
  ])
}

/** One that is away is being emptied as well: others have what it held. */
function stateOf({ state, drain }: ServerResult): string {
  return drain && state !== 'draining' ? `${state}, draining` : state
}

export function renderDrain({ name, epoch, drain }: Omit<ServerDrainResult, 'id'>): string {
  if (drain?.shardsLeft === 0) {
    return `storage server ${name} is empty: "swarmdisk server remove ${name}" takes it out`
  }
  const begun = `storage server ${name} is being emptied since epoch ${epoch}`
  return drain ? `${begun}: ${drainText(drain)}` : begun
}

/** "12 shards, about 3 GiB to go, ready in about 90 s". */
export function drainText({ shardsLeft, bytesLeft, secondsLeft, waitsFor }: DrainResult): string {
  const shards = `${shardsLeft} ${shardsLeft === 1 ? 'shard' : 'shards'}`
  const size = bytesLeft === null ? '' : `, about ${formatSize(bytesLeft)}`
  const left = `${shards}${size} to go`
  if (waitsFor !== '') return `${left}; ${waitsFor.replace(/[.]$/, '')}`
  return secondsLeft === null ? left : `${left}, ready in about ${secondsLeft} s`
}
