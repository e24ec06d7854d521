// Commands from the wire: what is no command is told so in a sentence.
import test from 'tape'
import { ADMIN_REQUEST_BYTES_MAX } from '../../../src/base/limits.js'
import { parseCommand } from '../../../src/manager/admin/admin-input.js'

const ID = '5f0c2a91'.repeat(8)
const create = {
  command: 'volume-create',
  name: 'v',
  size: 4096,
  replicas: 3,
  minInSync: null,
  force: false,
}

const resize = { command: 'volume-resize', name: 'v', size: 8192, force: false }

const promote = { command: 'shard-promote', volume: 'v', shard: 3, server: 'c' }

test('good commands pass as they are', t => {
  const commands = [
    { command: 'status' },
    { command: 'volume-list' },
    { command: 'server-list' },
    { command: 'volume-show', name: 'v' },
    { command: 'volume-delete', name: 'v' },
    { command: 'epoch-list', from: null, limit: 20 },
    { command: 'epoch-list', from: 7, limit: 1000 },
    { command: 'epoch-show', epoch: 7 },
    create,
    { ...create, minInSync: 1, force: true },
    resize,
    { ...resize, force: true },
    { command: 'server-drain', name: 'a', force: true },
    { command: 'server-undrain', name: 'a' },
    { command: 'server-remove', name: 'a', force: true },
    { ...promote, acceptDataLoss: true },
    { command: 'snapshot-clone', volume: 'v', snapshot: 's', name: 'w' },
    { command: 'volume-flatten', name: 'w' },
    { command: 'manager-list' },
    { command: 'manager-add', manager: '5f', force: false },
    { command: 'manager-remove', manager: ID, force: true },
  ]
  for (const command of commands) {
    const parsed = parseCommand(JSON.stringify(command))
    t.deepEqual(parsed, { ok: true, command }, command.command)
  }
  t.deepEqual(
    parseCommand('{"command":"status","more":1}'),
    { ok: true, command: { command: 'status' } },
    'unknown fields are left behind',
  )
  for (const acceptDataLoss of [undefined, 'yes', 1, false]) {
    t.deepEqual(
      parseCommand(JSON.stringify({ ...promote, acceptDataLoss })),
      { ok: true, command: { ...promote, acceptDataLoss: false } },
      'data loss is accepted by nothing but true',
    )
  }
  t.deepEqual(
    parseCommand('{"command":"manager-add","manager":"5F0C"}'),
    { ok: true, command: { command: 'manager-add', manager: '5f0c', force: false } },
    'identities are small letters; without a word about it nothing is forced',
  )
  t.end()
})

function snapshotFrom(source: unknown): unknown {
  return { command: 'snapshot-create', snapshots: [{ volume: 'v', name: 's', source }] }
}

test('a snapshot may say where it was imported from', t => {
  const command = snapshotFrom('c/1/2')
  t.deepEqual(parseCommand(JSON.stringify(command)), { ok: true, command })
  t.end()
})

test('everything else is refused with a sentence', t => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    ['', /JSON object/],
    ['{', /JSON object/],
    ['[]', /JSON object/],
    ['null', /JSON object/],
    ['"status"', /JSON object/],
    [{}, /does not know.*missing/],
    [{ ...promote, shard: -1 }, /"shard" is -1: use a whole number/],
    [{ ...promote, shard: 1024 }, /"shard" is 1024: use a whole number/],
    [{ ...promote, server: 7 }, /server name is missing/],
    [{ ...promote, volume: '../x' }, /volume name/],
    [{ command: 'format-everything' }, /format-everything/],
    [{ command: 'constructor' }, /does not know/],
    [{ command: 7 }, /does not know/],
    [{ command: 'volume-show' }, /name is missing/],
    [{ command: 'volume-show', name: '../x' }, /letters/],
    [{ command: 'volume-delete', name: '' }, /empty/],
    [{ ...create, name: 'x'.repeat(65) }, /64/],
    [{ ...create, size: '10G' }, /size.*missing/],
    [{ ...create, size: 4097 }, /4096/],
    [{ ...create, size: 0 }, /above zero/],
    [{ ...create, size: -4096 }, /above zero/],
    [{ ...create, size: 2 ** 47 }, /64 TiB/],
    [{ ...resize, size: '10G' }, /size.*missing/],
    [{ ...resize, size: 4097 }, /use 8192 instead of 4097/],
    [{ ...resize, size: 0 }, /above zero/],
    [{ ...resize, size: 2 ** 47 }, /64 TiB/],
    [{ ...resize, name: '../x' }, /letters/],
    [{ ...resize, force: 1 }, /"force" is 1/],
    [{ ...create, replicas: 0 }, /1 to 7/],
    [{ ...create, replicas: 2.5 }, /1 to 7/],
    [{ ...create, minInSync: 4 }, /between 1 and/],
    [{ ...create, minInSync: 0 }, /between 1 and/],
    [{ ...create, minInSync: '2' }, /neither a number nor null/],
    [{ ...create, force: 'yes' }, /"force" is "yes"/],
    [{ command: 'server-remove', force: true }, /server name is missing/],
    [{ command: 'server-drain', name: 'a', force: 1 }, /"force" is 1/],
    [{ command: 'server-undrain' }, /server name is missing/],
    [{ command: 'server-remove', name: 'a b', force: true }, /letters/],
    [{ command: 'manager-add', force: true }, /missing is no manager.*hexadecimal/],
    [{ command: 'manager-remove', manager: '', force: true }, /hexadecimal/],
    [{ command: 'manager-remove', manager: 'xyz', force: true }, /"xyz" is no manager/],
    [{ command: 'manager-remove', manager: `${ID}0`, force: true }, /hexadecimal/],
    [{ command: 'manager-add', manager: '5f', force: 1 }, /"force" is 1/],
    [snapshotFrom(7), /7 is no identity/],
    [snapshotFrom(''), /no identity/],
    [snapshotFrom('a b'), /no identity/],
    [snapshotFrom('x'.repeat(129)), /no identity/],
    [{ command: 'epoch-list', from: 1, limit: 1e9 }, /0 to 1000/],
    [{ command: 'epoch-list', from: -1, limit: 1 }, /from/],
    [{ command: 'epoch-show', epoch: 2 ** 30 }, /epoch/],
    [{ command: 'epoch-show', epoch: 1.5 }, /1.5/],
    [' '.repeat(ADMIN_REQUEST_BYTES_MAX + 1), /shorten/],
  ]
  for (const [input, says] of cases) {
    const parsed = parseCommand(typeof input === 'string' ? input : JSON.stringify(input))
    const message = parsed.ok ? 'accepted' : parsed.message
    t.match(message, says, message.slice(0, 80))
  }
  t.end()
})
