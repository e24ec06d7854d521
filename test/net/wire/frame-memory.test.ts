import test from 'tape'
import {
  REUSED_HEADER_ROOM,
  REUSED_PAYLOAD_MAX,
  REUSED_PAYLOAD_MIN,
  SPARE_FRAMES_BYTES,
} from '../../../src/base/limits.js'
import { ReusedFrames } from '../../../src/net/wire/frame-memory.js'

const LARGE = REUSED_PAYLOAD_MAX + 100

function giveBack(frames: ReusedFrames, frame: Buffer): void {
  frames.lend(frame)
  frames.give(frame)
}

test('frame memory: a frame that was lent and given back is taken again', t => {
  const frames = new ReusedFrames()
  const frame = frames.take(LARGE)
  t.equal(frame.length, LARGE)
  frames.lend(frame)
  frames.give(frame.subarray(50, 4_146))
  const again = frames.take(LARGE - 7)
  t.equal(again.buffer, frame.buffer)
  t.equal(again.length, LARGE - 7)
  t.not(frames.take(LARGE).buffer, frame.buffer, 'once')
  t.end()
})

test('frame memory: what was not lent is not taken again', t => {
  const frames = new ReusedFrames()
  const several = frames.take(LARGE)
  frames.give(several)
  t.not(frames.take(LARGE).buffer, several.buffer, 'there were several messages in it')
  const stranger = Buffer.allocUnsafeSlow(REUSED_PAYLOAD_MAX + REUSED_HEADER_ROOM)
  giveBack(frames, stranger)
  t.not(frames.take(LARGE).buffer, stranger.buffer, 'memory of somebody else')
  t.end()
})

test('frame memory: given back twice is one spare frame', t => {
  const frames = new ReusedFrames()
  const frame = frames.take(LARGE)
  giveBack(frames, frame)
  frames.give(frame)
  t.equal(frames.take(LARGE).buffer, frame.buffer)
  t.not(frames.take(LARGE).buffer, frame.buffer)
  frames.give(frame)
  t.not(frames.take(LARGE).buffer, frame.buffer, 'nor when it was taken again meanwhile')
  t.end()
})

test('frame memory: sizes that differ little share, and nobody gets less than asked for', t => {
  const frames = new ReusedFrames()
  const used = new Set<ArrayBufferLike>()
  for (let bytes = REUSED_PAYLOAD_MIN; bytes <= LARGE; bytes += 1_021) {
    const frame = frames.take(bytes)
    if (frame.length !== bytes) t.fail(`${frame.length} of ${bytes} bytes`)
    used.add(frame.buffer)
    giveBack(frames, frame)
  }
  t.equal(used.size, 5, '64 KiB to 1 MiB, with their headers')
  t.end()
})

test('frame memory: small and very large frames are left to the garbage collector', t => {
  const frames = new ReusedFrames()
  const sizes = [REUSED_PAYLOAD_MIN - 1, REUSED_PAYLOAD_MAX + REUSED_HEADER_ROOM + 1]
  for (const bytes of sizes) {
    const frame = frames.take(bytes)
    giveBack(frames, frame)
    t.not(frames.take(bytes).buffer, frame.buffer, `${bytes} bytes`)
  }
  t.end()
})

test('frame memory: spare frames have a limit', t => {
  const frames = new ReusedFrames()
  const many = Array.from({ length: 20 }, () => frames.take(LARGE))
  for (const frame of many) {
    giveBack(frames, frame)
  }
  const before = new Set(many.map(frame => frame.buffer))
  const again = many.filter(() => before.has(frames.take(LARGE).buffer))
  t.equal(again.length, SPARE_FRAMES_BYTES / (REUSED_PAYLOAD_MAX + REUSED_HEADER_ROOM))
  t.end()
})
