// Random histories of servers that join, go, come back, are emptied and removed: when it is over,
// the moves come to an end, and then everything is where it is to be.
import test from 'tape'
import type { Configuration, VolumeRecord } from '../../../src/layout/configuration.js'
import { candidatesOf, domainLimit } from '../../../src/layout/placement/candidates.js'
import { isDraining } from '../../../src/layout/replicas.js'
import { MovingCluster } from './moving-cluster.js'

/** What is wrong with the shards of a volume in the end. */
function problems(configuration: Configuration, volume: VolumeRecord): readonly string[] {
  const candidates = candidatesOf(configuration.servers.values())
  // Too few servers: as many as possible have moved, and the others wait.
  if (candidates.ids.length < volume.replicas) return []
  const limit = domainLimit(candidates, volume.replicas)
  return volume.shards.flatMap((shard, i) => {
    const found: string[] = []
    const domains = new Map<string, number>()
    for (const { server, state } of shard.replicas) {
      const record = configuration.servers.get(server)!
      domains.set(record.domain, (domains.get(record.domain) ?? 0) + 1)
      if (state !== 'in-sync' || record.state !== 'up') found.push(`${i}: ${state} ${record.state}`)
    }
    if (Math.max(...domains.values()) > limit) found.push(`${i}: crowded`)
    if (shard.replicas.length !== volume.replicas) found.push(`${i}: ${shard.replicas.length}`)
    if (shard.stale.length > 0) found.push(`${i}: stale`)
    return found
  })
}

test('at random: moves end, with every copy where it is to be', t => {
  const counts = new Map<string, number>()
  let longest = 0
  let emptied = 0
  for (let seed = 1; seed <= 150; seed++) {
    const one = new MovingCluster(seed)
    try {
      for (let step = 0; step < 60; step++) one.step()
      one.heal()
      let rounds = 0
      while (one.progress()) if (++rounds > 600) throw new Error('no end of moving')
      longest = Math.max(longest, rounds)
    } catch (error) {
      t.fail(`seed ${seed}: ${String(error)}`)
      continue
    }
    for (const volume of one.configuration.volumes.values()) {
      const found = problems(one.configuration, volume)
      if (found.length > 0) t.fail(`seed ${seed}: volume ${volume.name}: ${found.join(', ')}`)
    }
    for (const id of one.configuration.servers.keys())
      if (isDraining(one.configuration, id)) emptied++
    for (const [kind, count] of one.counts) counts.set(kind, (counts.get(kind) ?? 0) + count)
  }
  t.ok(longest > 20, `the longest way had ${longest} steps`)
  t.ok(emptied > 20, `${emptied} servers were emptied`)
  const kinds = ['server-registered', 'server-down', 'server-removed', 'server-state']
  for (const kind of [...kinds, 'shards-moved', 'replicas-caught-up', 'copies']) {
    t.ok((counts.get(kind) ?? 0) > 50, `${kind}: ${counts.get(kind)}`)
  }
  t.end()
})
