// A scrub with servers that answer as the test says: silent ones, old ones, busy ones, wrong ones.
import test from 'tape'
import { blockIndex, epoch, type PeerId } from '../../../src/base/brands.js'
import { silentLog } from '../../../src/base/log.js'
import {
  SCRUB_BUSY_MAX_MS,
  SCRUB_PATIENCE_MS,
  SCRUB_REQUEST_MS,
  SCRUB_UNREADABLE_MAX,
} from '../../../src/base/limits.js'
import { VolumeScrub } from '../../../src/client/scrub/volume-scrub.js'
import { verdictOf, type ScrubResult } from '../../../src/client/scrub/scrub-report.js'
import { ConfigurationWatch } from '../../../src/net/configuration-watch.js'
import type { FoundFlaw, ScrubReply, ScrubRequest } from '../../../src/net/scrub/messages.js'
import { SERVERS, testConfiguration, testVolume } from '../../helpers/configurations.js'
import { ScriptedPeers } from '../../helpers/scripted-peers.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

type Answer = (request: ScrubRequest, peers: ScriptedPeers, server: PeerId) => ScrubReply | 'none'

const NOTHING: ScrubReply = {
  ...{ status: 'ok', allocation: epoch(0), page: 0, found: false, blocks: 0, upTo: 0 },
  flaws: [],
  payload: new Uint8Array(0),
}
const empty: Answer = ({ end }) => ({ ...NOTHING, page: end })

interface Scrubbed {
  readonly result: ScrubResult
  readonly took: number
}

interface Stage {
  readonly clock: VirtualClock
  readonly scrub: VolumeScrub
}

const [FIRST] = SERVERS

interface Setting {
  readonly connected?: readonly PeerId[]
  readonly repair?: boolean
}

function stage(odd: Answer, { connected = SERVERS, repair = true }: Setting = {}): Stage {
  const clock = new VirtualClock()
  const peers = new ScriptedPeers(clock)
  const volume = testVolume()
  const initial = testConfiguration({ volumes: new Map([[volume.id, volume]]) })
  const watch = new ConfigurationWatch({ peers, clock, log: silentLog, initial })
  for (const id of connected) peers.connect(id, ['storage'])
  peers.script = ({ to, request, answer }) => {
    const reply = (to === FIRST ? odd : empty)(request as ScrubRequest, peers, to)
    if (reply !== 'none') clock.after(1, () => answer(reply))
  }
  const scrub = new VolumeScrub({ context: { peers, watch, clock }, volume, repair })
  return { clock, scrub }
}

async function run({ clock, scrub }: Stage): Promise<Scrubbed> {
  const started = clock.now()
  const result = await clock.settle('the scrub', scrub.run(), 3_600_000)
  return { result, took: clock.now() - started }
}

function reasons({ unchecked }: ScrubResult): readonly string[] {
  return unchecked.map(({ server, reason }) => `${server ?? 'all'}: ${reason}`)
}

test('all answer', async t => {
  const { result } = await run(stage(empty))
  t.equal(verdictOf(result), 'well', JSON.stringify(result))
})

test('who cannot be reached is waited for once, and named', async t => {
  const { result, took } = await run(
    stage(empty, { connected: SERVERS.filter(id => id !== FIRST) }),
  )
  t.equal(verdictOf(result), 'incomplete')
  t.match(reasons(result).join(), /cannot be reached/)
  t.equal(result.unchecked.length, 1)
  t.ok(took < 2 * SCRUB_PATIENCE_MS, `${took} ms`)
})

test('an older release ends the link at every question', async t => {
  const { result, took } = await run(
    stage((_request, peers, server) => {
      peers.disconnect(server)
      peers.connect(server, ['storage'])
      return 'none'
    }),
  )
  t.equal(verdictOf(result), 'incomplete')
  t.match(reasons(result).join(), /perhaps it runs an older release, which has no scrub/)
  t.ok(took < 4 * SCRUB_PATIENCE_MS, `${took} ms`)
})

test('who has no time is asked again, for long, but not for ever', async t => {
  let busy = 5
  const soon = await run(
    stage(request => (busy-- > 0 ? { ...NOTHING, status: 'busy' } : empty(request, null!, FIRST))),
  )
  t.equal(verdictOf(soon.result), 'well')
  const never = await run(stage(() => ({ ...NOTHING, status: 'busy' })))
  t.match(reasons(never.result).join(), /has had no time for ten minutes/)
  t.ok(never.took < 4 * SCRUB_BUSY_MAX_MS, `${never.took} ms`)
})

test('a disk that cannot be read, and a server that does not serve', async t => {
  const failed = await run(stage(() => ({ ...NOTHING, status: 'failed' })))
  t.match(reasons(failed.result).join(), /cannot read its disk; its log says why/)
  const refused = await run(stage(() => ({ ...NOTHING, status: 'refused' })))
  t.match(reasons(refused.result).join(), /does not serve this copy/)
})

test('the answer to a repair is lost: what was wrong is left for the next scrub', async t => {
  const asked: string[] = []
  const page = { found: true, blocks: 1, upTo: 512, payload: new Uint8Array(4096) }
  const { result } = await run(
    stage((request, peers, server) => {
      if (request.shard !== 0 || request.page > 0) return empty(request, peers, server)
      asked.push(request.mode)
      const flaw = { block: blockIndex(7), flaw: 'data', outcome: 'reported' } as const
      if (asked.length === 1) return { ...NOTHING, ...page, flaws: [flaw] }
      if (asked.length > 2) return { ...NOTHING, ...page }
      peers.reroute(server)
      return 'none'
    }),
  )
  t.deepEqual(asked, ['check', 'repair', 'repair'])
  t.deepEqual(
    result.rotten.map(({ block, outcome }) => [block, outcome]),
    [[7, 'not-now']],
    'nobody has said that it was repaired',
  )
  t.equal(verdictOf(result), 'wrong')
})

test('one answer is lost by its deadline: it is asked for once more', async t => {
  let asked = 0
  const once = await run(stage((...of) => (asked++ === 0 ? 'none' : empty(...of))))
  t.equal(verdictOf(once.result), 'well', JSON.stringify(once.result))
  const never = await run(stage(() => 'none'))
  t.match(reasons(never.result).join(), /does not answer/)
  t.ok(never.took < 3 * SCRUB_REQUEST_MS, `${never.took} ms`)
})

test('a page that takes several answers: the flaws of all of them are told', async t => {
  const asked: string[] = []
  const payload = new Uint8Array(4096)
  const pieces: Answer = (request, peers, server) => {
    if (request.shard !== 0 || request.page > 0) return empty(request, peers, server)
    asked.push(`${request.mode} from ${request.first}`)
    const outcome = request.mode === 'repair' ? 'repaired' : 'reported'
    const block = blockIndex(request.first + 3)
    const flaws: FoundFlaw[] = [{ block, flaw: 'data', outcome }]
    const part = { found: true, blocks: 100, payload, flaws, upTo: request.first + 256 }
    return { ...NOTHING, ...part }
  }
  const { result } = await run(stage(pieces))
  const expected = ['check from 0', 'check from 256', 'repair from 0', 'repair from 256']
  t.deepEqual(asked, expected)
  t.deepEqual([result.rotten.length, result.repaired, result.blocks], [2, 2, 200])
  const lost = await run(
    stage((request, ...more) => (request.first > 0 ? 'none' : pieces(request, ...more))),
  )
  t.deepEqual(
    lost.result.rotten.map(({ block, outcome }) => [block, outcome]),
    [[3, 'not-now']],
    'also when the next answer never comes',
  )
  t.match(reasons(lost.result).join(), /does not answer/)
})

test('what is only to be reported is never called repaired', async t => {
  const flaws: FoundFlaw[] = [{ block: blockIndex(7), flaw: 'data', outcome: 'repaired' }]
  const page = { found: true, blocks: 1, upTo: 512, payload: new Uint8Array(4096), flaws }
  const { result } = await run(
    stage(
      (request, ...more) =>
        request.shard === 0 && request.page === 0
          ? { ...NOTHING, ...page }
          : empty(request, ...more),
      { repair: false },
    ),
  )
  t.deepEqual([result.rotten[0]?.outcome, result.repaired], ['reported', 0])
})

test('a disk that refuses block after block is left, with what was found', async t => {
  const flaws = Array.from({ length: SCRUB_UNREADABLE_MAX }, (_, i) => {
    return { block: blockIndex(i), flaw: 'unreadable', outcome: 'reported' } as const
  })
  let asked = 0
  const { result } = await run(
    stage((request, ...more) => {
      if (request.shard !== 0) return empty(request, ...more)
      asked++
      const page = { found: true, blocks: 8, upTo: 8, payload: new Uint8Array(4096), flaws }
      return { ...NOTHING, ...page }
    }),
  )
  t.deepEqual([asked, result.rotten.length], [1, SCRUB_UNREADABLE_MAX])
  t.match(reasons(result).join(), /cannot read its disk/)
})

test('an answer that would never lead on is not believed, and the others are asked on', async t => {
  const payload = new Uint8Array(4096)
  const outside: FoundFlaw = { block: blockIndex(2 ** 20), flaw: 'data', outcome: 'repaired' }
  const wrong: readonly Partial<ScrubReply>[] = [
    { page: 0 },
    { page: 2 ** 31 },
    { page: 0, found: true, upTo: 512 },
    { page: 0, found: true, upTo: 0, payload },
    { page: 2 ** 31, found: true, upTo: 512, payload },
    { page: 0, found: true, upTo: 512, payload, flaws: [outside] },
  ]
  for (const reply of wrong) {
    const { result } = await run(stage(() => ({ ...NOTHING, ...reply })))
    const text = JSON.stringify(reply).slice(0, 60)
    t.equal(verdictOf(result), 'incomplete', text)
    t.match(reasons(result).join(), /answered with something that was not asked/, text)
    t.equal(result.unchecked.length, 1, 'one server alone')
  }
})

test('it ends when it is told to, with what it has', async t => {
  const stuck = stage(() => 'none')
  const running = stuck.scrub.run()
  await stuck.clock.advance(100)
  stuck.scrub.end()
  const result = await stuck.clock.settle('the end', running)
  t.equal(verdictOf(result), 'incomplete')
  t.match(reasons(result).join(), /the scrub ended before/)
})
