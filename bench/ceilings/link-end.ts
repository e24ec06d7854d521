// One end of direct links of the product, alone in its process. Three roles listen: `answer` sends
// small frames back and an acknowledgement for large ones; `acknowledge` acknowledges all; `relay`
// sends them to others that do, and acknowledges what all of these have. `ask` dials, keeps so many
// frames under way, and counts what comes back. The cluster key in the arguments is made for this
// run only.
import { assert } from '../../src/base/assert.js'
import { systemClock } from '../../src/base/clock.js'
import { BLOCK_BYTES } from '../../src/base/limits.js'
import { silentLog } from '../../src/base/log.js'
import { systemRandom } from '../../src/base/random.js'
import type { Address } from '../../src/layout/configuration.js'
import { ClusterKey } from '../../src/net/cluster-key.js'
import { IDENTITY_SEED_BYTES, keyPairFromSeed, peerIdOf } from '../../src/net/identity.js'
import type { Link } from '../../src/net/link.js'
import { DirectLinks } from '../../src/net/swarm/direct-links.js'
import { Gate } from '../../src/net/swarm/gate.js'
import { ReusedFrames } from '../../src/net/wire/frame-memory.js'
import type { LinkLoad, LinkRate } from './link.js'
import { answerParent, parentGone, tellParent } from './parent.js'

/** Of a large frame: as long as the answer to a write. */
const ACKNOWLEDGEMENT_BYTES = 16

const idle = { drain: () => undefined, closed: () => undefined }

const [role = '', key = '', ...ports] = process.argv.slice(2)
const keyPair = keyPairFromSeed(systemRandom.bytes(IDENTITY_SEED_BYTES))
/** Of a relay: who asks it, whom it sends to, and how many frames all of these have. */
let asking: Link | null = null
const others: Other[] = []
let everywhere = 0
const gate = new Gate({
  ...{ self: peerIdOf(keyPair.publicKey), clusterKey: ClusterKey.parse(key), log: silentLog },
  ...{ clock: systemClock, lost: () => undefined },
  admitted(link) {
    if (!link.initiator) serve(link)
    else if (role === 'relay') relayTo(link)
    else askOnRequest(link)
  },
})
const memory = new ReusedFrames()
const links = new DirectLinks({ keyPair, gate, clock: systemClock, memory })

function serve(link: Link): void {
  if (role === 'relay') return relayFrames(link)
  link.listen({
    ...idle,
    frame(frame) {
      const back = role === 'answer' && frame.byteLength <= BLOCK_BYTES
      if (back) send(link, frame)
      else acknowledge(link)
    },
  })
}

/** Those that a relay sends to: how many frames each has acknowledged, which it does in order. */
interface Other {
  readonly link: Link
  acknowledged: number
}

function relayFrames(link: Link): void {
  asking = link
  link.listen({
    ...idle,
    frame(frame) {
      for (const other of others) send(other.link, frame)
    },
  })
}

function relayTo(link: Link): void {
  const other: Other = { link, acknowledged: 0 }
  others.push(other)
  const frame = (): void => {
    other.acknowledged++
    if (everywhere === Math.min(...others.map(one => one.acknowledged))) return
    everywhere++
    if (asking) acknowledge(asking)
  }
  link.listen({ ...idle, frame })
}

function send(link: Link, content: Uint8Array): void {
  const frame = link.allocate(content.byteLength)
  frame.set(content)
  link.send(frame)
}

function acknowledge(link: Link): void {
  link.send(link.allocate(ACKNOWLEDGEMENT_BYTES))
}

function askOnRequest(link: Link): void {
  let answered: () => void = () => undefined
  link.listen({ ...idle, frame: () => answered() })
  answerParent(question => {
    const { bytes, depth, seconds } = question as LinkLoad
    const content = Buffer.alloc(bytes, 1)
    const sent: number[] = []
    const took: number[] = []
    const ask = (): void => {
      sent.push(performance.now())
      send(link, content)
    }
    const began = performance.now()
    const end = began + seconds * 1000
    return new Promise<LinkRate>(resolve => {
      answered = () => {
        const now = performance.now()
        took.push(now - (sent.shift() ?? now))
        if (now < end) return ask()
        if (sent.length === 0) resolve(rateOf(took, (now - began) / 1000))
      }
      for (let i = 0; i < depth; i++) ask()
    })
  })
  tellParent('ready')
}

function rateOf(took: number[], seconds: number): LinkRate {
  took.sort((a, b) => a - b)
  const at = (part: number): number => (took[Math.floor(took.length * part)] ?? 0) * 1000
  return { perSecond: took.length / seconds, p50Microseconds: at(0.5), p99Microseconds: at(0.99) }
}

for (const port of ports) {
  const link = await links.dial({ host: '127.0.0.1', port: Number(port) }, null)
  assert(link !== null, 'somebody of this cluster listens there')
}
if (role !== 'ask') {
  const [address] = await links.listen('127.0.0.1', 0)
  tellParent((address as Address).port)
}
await parentGone
gate.close()
await links.close()
