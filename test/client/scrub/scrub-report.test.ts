// What a scrub says in the end: which copies were looked at, what is wrong, within limits.
import test from 'tape'
import { blockIndex, epoch, shardIndex } from '../../../src/base/brands.js'
import { SCRUB_LISTED_MAX } from '../../../src/base/limits.js'
import { Coverage } from '../../../src/client/scrub/coverage.js'
import {
  ScrubReport,
  verdictOf,
  type ScrubResult,
  type ScrubVerdict,
} from '../../../src/client/scrub/scrub-report.js'
import { renderScrub, scrubFailure, shardsText } from '../../../src/cli/render/scrub.js'
import type { FlawOutcome, FoundFlaw, ScrubEntry } from '../../../src/net/scrub/messages.js'
import { testPeer } from '../../helpers/scripted-peers.js'

const [A, B, C] = [testPeer(1), testPeer(2), testPeer(3)] as const
const NAMES = new Map([
  [A, 'a'],
  [B, 'b'],
  [C, 'c'],
])
const SHARD = shardIndex(2)

const empty = (): ScrubReport =>
  new ScrubReport({ volume: 'data', shardCount: 4, nameOf: server => NAMES.get(server) ?? '?' })

const flaw = (block: number, outcome: FlawOutcome): FoundFlaw => ({
  ...{ block: blockIndex(block), flaw: 'data', outcome },
})
const entry = (checksum: number): ScrubEntry => ({ state: 'data', epoch: epoch(9), checksum })

test('a copy counts when every step has looked at it', t => {
  const coverage = new Coverage()
  t.ok(coverage.isWhole(A), 'of an empty shard there is nothing to look at')
  coverage.step([A, B])
  coverage.missed(B, 'was away')
  coverage.missed(B, 'and later something else')
  coverage.step([A, C])
  coverage.step([A, B, C])
  t.ok(coverage.isWhole(A))
  t.deepEqual(
    [...coverage.unchecked([A, B, C])],
    [
      [B, 'was away'],
      [C, 'became in-sync while the scrub was under way'],
    ],
  )
  const unseen = new Coverage()
  unseen.missed(A, 'was away')
  t.notOk(unseen.isWhole(A), 'one that was never reached is not whole')
  t.end()
})

test('the verdict counts what was repaired as well', t => {
  const cases: readonly [string, ScrubVerdict, number | null, (report: ScrubReport) => void][] = [
    ['nothing', 'well', null, () => undefined],
    [
      'repaired',
      'well',
      null,
      r => r.rotten({ shard: SHARD, layer: 1, server: A }, flaw(1, 'repaired')),
    ],
    [
      'no good copy',
      'wrong',
      14,
      r => r.rotten({ shard: SHARD, layer: 1, server: A }, flaw(1, 'no-copy')),
    ],
    [
      'only reported',
      'wrong',
      14,
      r => r.rotten({ shard: SHARD, layer: 1, server: A }, flaw(1, 'reported')),
    ],
    [
      'not now',
      'wrong',
      14,
      r => r.rotten({ shard: SHARD, layer: 1, server: A }, flaw(1, 'not-now')),
    ],
    [
      'different',
      'wrong',
      14,
      r => r.different({ shard: SHARD, layer: 1, block: blockIndex(1) }, new Map([[A, entry(1)]])),
    ],
    ['unchecked', 'incomplete', 19, r => r.unchecked(SHARD, B, 'cannot be reached')],
    [
      'unchecked and wrong',
      'wrong',
      14,
      r => {
        r.unchecked(SHARD, B, 'cannot be reached')
        r.rotten({ shard: SHARD, layer: 1, server: A }, flaw(1, 'no-copy'))
      },
    ],
  ]
  for (const [name, verdict, exit, fill] of cases) {
    const report = empty()
    fill(report)
    t.equal(verdictOf(report.result()), verdict, name)
    const failure = scrubFailure(report.result())
    const code = failure === null ? null : { corrupt: 14, incomplete: 19 }[failure.code]
    t.equal(code, exit, `${name}: its exit code`)
  }
  t.end()
})

test('what is found has its place, and who has which version', t => {
  const report = empty()
  report.read(3)
  report.wholeReplica()
  report.rotten({ shard: SHARD, layer: 1, server: B }, flaw(1025, 'repaired'))
  report.different(
    { shard: SHARD, layer: 3, block: blockIndex(0) },
    new Map([
      [A, entry(1)],
      [B, entry(2)],
      [C, entry(1)],
    ]),
  )
  report.unchecked(shardIndex(3), B, 'cannot be reached')
  report.unchecked(SHARD, B, 'cannot be reached')
  report.unchecked(SHARD, B, 'cannot be reached')
  const expected: ScrubResult = {
    ...{ volume: 'data', blocks: 3, bytes: 12_288, replicas: 1, repaired: 1 },
    rotten: [
      {
        ...{ shard: 2, layer: 1, block: 1025, offset: 6 * 4 * 2 ** 20 + 4096 },
        ...{ server: 'b', flaw: 'data', outcome: 'repaired' },
      },
    ],
    different: [
      {
        ...{ shard: 2, layer: 3, block: 0, offset: 2 * 4 * 2 ** 20 },
        versions: [
          { ...entry(1), servers: ['a', 'c'] },
          { ...entry(2), servers: ['b'] },
        ],
      },
    ],
    unchecked: [{ server: 'b', reason: 'cannot be reached', shards: [2, 3] }],
    leftOut: { rotten: 0, different: 0, unchecked: 0 },
  }
  t.deepEqual(report.result(), expected)
  const text = renderScrub(report.result())
  t.match(text, /^volume data: 12 KiB read, 1 copies.*1 rotten, of which 1 repaired; 1 different/)
  t.match(text, /8388608 +2 +3 +0 +a, c: crc32 00000001 of epoch 9; b: crc32 00000002 of epoch 9/)
  t.match(text, /not checked on b, shards 2-3: cannot be reached/)
  t.end()
})

test('lists are limited, and say so', t => {
  const report = empty()
  for (let block = 0; block < SCRUB_LISTED_MAX + 5; block++) {
    const outcome = block < 10 ? 'repaired' : 'no-copy'
    report.rotten({ shard: SHARD, layer: 1, server: A }, flaw(block, outcome))
    const at = { shard: SHARD, layer: 1, block: blockIndex(block) }
    if (block < SCRUB_LISTED_MAX + 2) report.different(at, new Map([[A, entry(1)]]))
  }
  const { rotten, different, leftOut, repaired } = report.result()
  t.deepEqual([rotten.length, different.length], [SCRUB_LISTED_MAX, SCRUB_LISTED_MAX])
  t.deepEqual(leftOut, { rotten: 5, different: 2, unchecked: 0 })
  t.equal(repaired, 10)
  t.match(renderScrub(report.result()), /… and 5 more/)
  t.equal(shardsText([1]), 'shard 1')
  t.equal(shardsText([0, 1, 2, 5, 7, 8]), 'shards 0-2, 5, 7-8')
  t.end()
})
