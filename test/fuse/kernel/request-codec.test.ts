import test from 'tape'
import { OPCODE } from '../../../src/fuse/kernel/protocol.js'
import { decodeRequest, keyOf, type Operation } from '../../../src/fuse/kernel/request-codec.js'
import { fields, frame, initFrame, name, readFrame, u32, writeFrame, type Frame } from './frames.js'

function operation(bytes: Buffer): Operation | undefined {
  return decodeRequest(bytes)?.operation
}

function decoded(asked: Frame): Operation | undefined {
  return operation(frame(asked))
}

test('headers', t => {
  const request = decodeRequest(frame({ opcode: OPCODE.getattr, unique: 2 ** 40 + 6, node: 77 }))
  t.deepEqual(request?.header, { uniqueLow: 6, uniqueHigh: 256, node: 77 })
  t.equal(request && keyOf(request.header), 2 ** 40 + 6)
  t.deepEqual(request?.operation, { kind: 'getattr' })
  t.equal(decodeRequest(Buffer.alloc(39)), null, 'too short for anybody to be answered')
  const wrong = frame({ opcode: OPCODE.getattr })
  wrong.writeUInt32LE(41, 0)
  t.deepEqual(operation(wrong), { kind: 'malformed' }, 'another length than it says')
  const extended = frame({ opcode: OPCODE.getattr })
  extended.writeUInt16LE(1, 36)
  t.deepEqual(operation(extended), { kind: 'malformed' }, 'extensions we did not ask for')
  t.end()
})

test('files', t => {
  t.deepEqual(operation(initFrame()), {
    ...{ kind: 'init', major: 7, minor: 45, readAhead: 2 ** 17, flags: 0xffff_ffff },
  })
  t.deepEqual(decoded({ opcode: OPCODE.lookup, body: name('ä.img') }), {
    kind: 'lookup',
    name: 'ä.img',
  })
  const open = (flags: number): Frame => ({
    opcode: OPCODE.open,
    body: fields(u32(flags), u32(0)),
  })
  t.deepEqual(decoded(open(0o100000)), { kind: 'open', write: false })
  t.deepEqual(decoded(open(0o100001)), { kind: 'open', write: true }, 'write only')
  t.deepEqual(decoded(open(0o100002)), { kind: 'open', write: true }, 'read and write')
  const place = { handle: 9, offset: 2 ** 42 + 1 }
  t.deepEqual(operation(readFrame({ ...place, size: 4096 }, 2)), {
    ...{ kind: 'read', ...place, size: 4096 },
  })
  const data = Buffer.from('content')
  t.deepEqual(operation(writeFrame({ ...place, data }, 2)), { kind: 'write', ...place, data })
  t.deepEqual(operation(readFrame({ ...place, size: 2 ** 20 + 1 }, 2)), { kind: 'malformed' })
  const more = writeFrame({ ...place, data }, 2)
  more.writeUInt32LE(8, 56)
  t.deepEqual(operation(more), { kind: 'malformed' }, 'less data than it says')
  for (const kind of ['fsync', 'flush', 'release', 'releasedir'] as const) {
    const body = Buffer.concat([fields(7), Buffer.alloc(16)])
    t.deepEqual(decoded({ opcode: OPCODE[kind], body }), { kind, handle: 7 })
  }
  t.end()
})

test('what is forgotten and interrupted', t => {
  t.deepEqual(decoded({ opcode: OPCODE.forget, node: 5, body: fields(3) }), {
    kind: 'forget',
    nodes: [{ node: 5, count: 3 }],
  })
  const body = fields(u32(2), u32(0), 5, 3, 6, 1)
  t.deepEqual(decoded({ opcode: OPCODE.batchForget, body }), {
    kind: 'forget',
    nodes: [
      { node: 5, count: 3 },
      { node: 6, count: 1 },
    ],
  })
  const lies = fields(u32(0xffff_ffff), u32(0), 5, 3)
  t.deepEqual(decoded({ opcode: OPCODE.batchForget, body: lies }), { kind: 'malformed' })
  t.deepEqual(decoded({ opcode: OPCODE.interrupt, body: fields(84) }), {
    kind: 'interrupt',
    of: 84,
  })
  t.end()
})

test('what changes attributes', t => {
  const setattr = (valid: number): Operation | undefined => {
    const body = Buffer.concat([fields(u32(valid), u32(0), 9, 4096), Buffer.alloc(64)])
    return decoded({ opcode: OPCODE.setattr, body })
  }
  t.deepEqual(setattr(8), { kind: 'setattr', size: 4096, others: false })
  t.deepEqual(setattr(8 | 32 | 1024), { kind: 'setattr', size: 4096, others: false }, 'with times')
  t.deepEqual(setattr(8 | 1), { kind: 'setattr', size: 4096, others: true }, 'and mode')
  for (const valid of [1, 2, 4, 16, 32]) {
    t.deepEqual(setattr(valid), { kind: 'setattr', size: null, others: true }, `${valid}`)
  }
  t.deepEqual(
    setattr(1024),
    { kind: 'setattr', size: null, others: false },
    'times of the kernel itself',
  )
  t.end()
})

test('what changes names', t => {
  const one = { kind: 'change', places: [{ node: 3, name: 'x' }] }
  const before: Readonly<Record<string, number>> = {
    ...{ mknod: 16, mkdir: 8, unlink: 0, rmdir: 0, create: 16 },
  }
  for (const [kind, bytes] of Object.entries(before)) {
    const body = Buffer.concat([Buffer.alloc(bytes), name('x')])
    const opcode = OPCODE[kind as keyof typeof OPCODE]
    t.deepEqual(decoded({ opcode, node: 3, body }), one, kind)
  }
  t.deepEqual(decoded({ opcode: OPCODE.symlink, node: 3, body: name('x', 'target') }), one)
  const two = {
    kind: 'change',
    places: [
      { node: 3, name: 'x' },
      { node: 4, name: 'y' },
    ],
  }
  const rename = Buffer.concat([fields(4), name('x', 'y')])
  t.deepEqual(decoded({ opcode: OPCODE.rename, node: 3, body: rename }), two)
  const rename2 = Buffer.concat([fields(4, 0), name('x', 'y')])
  t.deepEqual(decoded({ opcode: OPCODE.rename2, node: 3, body: rename2 }), two)
  t.deepEqual(
    decoded({ opcode: OPCODE.link, node: 3, body: Buffer.concat([fields(4), name('x')]) }),
    {
      kind: 'change',
      places: [
        { node: 4, name: null },
        { node: 3, name: 'x' },
      ],
    },
  )
  t.end()
})

test('fallocate makes holes and zeroes, and nothing else', t => {
  const fallocate = (mode: number): Operation | undefined =>
    decoded({ opcode: OPCODE.fallocate, body: fields(9, 4096, 8192, u32(mode), u32(0)) })
  const zero = { kind: 'zero', handle: 9, offset: 4096, length: 8192 }
  t.deepEqual(fallocate(3), { ...zero, keepSize: true }, 'a hole')
  t.deepEqual(fallocate(16), { ...zero, keepSize: false }, 'zeroes')
  t.deepEqual(fallocate(17), { ...zero, keepSize: true }, 'zeroes within the file')
  for (const mode of [0, 1, 2, 8, 32, 0x40, 19]) {
    t.deepEqual(fallocate(mode), { kind: 'unsupported' }, `mode ${mode}`)
  }
  t.end()
})

test('what we do not have, and what is cut off', t => {
  for (const opcode of [0, 5, 21, 22, 31, 34, 37, 39, 46, 47, 999, 2 ** 32 - 1]) {
    t.deepEqual(decoded({ opcode }), { kind: 'unknown' }, `operation ${opcode}`)
  }
  const { forget, setattr, open, read, write, fsync, init, interrupt, fallocate } = OPCODE
  for (const opcode of [forget, setattr, open, read, write, fsync, init, interrupt, fallocate]) {
    t.deepEqual(decoded({ opcode, body: Buffer.alloc(7) }), { kind: 'malformed' }, `${opcode}`)
  }
  t.deepEqual(
    decoded({ opcode: OPCODE.lookup, body: Buffer.from('no end') }),
    { kind: 'lookup', name: 'no end' },
    'a name without its end is all there is',
  )
  t.end()
})
