// The servers that may receive replicas, by number: what the algorithms of this folder work on.
import { assert } from '../../base/assert.js'
import type { PeerId } from '../../base/brands.js'
import type { ServerRecord } from '../configuration.js'
import { seedOf, type Seed } from './hash.js'

export interface Candidates {
  readonly ids: readonly PeerId[]
  readonly weights: readonly number[]
  readonly seeds: readonly Seed[]
  /** For every server the number of its failure domain. */
  readonly domainOf: readonly number[]
  /** For every failure domain its servers. */
  readonly domains: readonly (readonly number[])[]
  readonly indexOf: ReadonlyMap<PeerId, number>
}

/** Servers that are up; in the order of their identities, whatever order they come in. */
export function candidatesOf(servers: Iterable<ServerRecord>): Candidates {
  const up = [...servers].filter(server => server.state === 'up')
  up.sort((a, b) => (a.id < b.id ? -1 : 1))
  const numbers = new Map<string, number>()
  const domains: number[][] = []
  const domainOf = up.map((server, i) => {
    const domain = numbers.get(server.domain) ?? domains.push([]) - 1
    numbers.set(server.domain, domain)
    domains[domain]!.push(i)
    return domain
  })
  return {
    ids: up.map(server => server.id),
    weights: up.map(server => server.weight),
    seeds: up.map(server => seedOf(server.id)),
    domainOf,
    domains,
    indexOf: new Map(up.map((server, i) => [server.id, i])),
  }
}

/**
 * How many replicas of one shard a failure domain may get: one while there are as many domains as
 * replicas, else as few as possible.
 */
export function domainLimit({ domains }: Candidates, replicas: number): number {
  const room = (limit: number): number =>
    domains.reduce((sum, members) => sum + Math.min(limit, members.length), 0)
  let limit = 1
  while (room(limit) < replicas) {
    assert(limit < replicas, 'there are as many servers as replicas')
    limit++
  }
  return limit
}
