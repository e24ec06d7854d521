// One writer per volume, on separate processes: a second mount is refused and told who has it, may
// read meanwhile, and takes over in one step; the first one's writes fail from then on. And a mount
// that is killed makes room for the next one on its host.
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import test from 'tape'
import type { VolumeDetail } from '../../src/net/admin.js'
import { TestCluster } from './cluster.js'
import { eventually, mustRun, runTool } from './tools.js'

const BLOCK_BYTES = 4096
const WRITE = constants.O_RDWR | constants.O_DIRECT

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

async function write(file: FileHandle, value: number): Promise<void> {
  await file.write(Buffer.alloc(BLOCK_BYTES, value), 0, BLOCK_BYTES, 0)
  await file.sync()
}

async function firstByte(path: string): Promise<number> {
  const bytes = ['bs=4096', 'count=1', 'iflag=direct', 'status=none']
  const shown = await mustRun('sh', ['-c', `dd if=${path} ${bytes.join(' ')} | od -An -tu1 -N1`])
  return Number(shown)
}

test('one writer: refused, read meanwhile, taken over, killed', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '64M', '--replicas', '3'])
  await cluster.startMount()
  await cluster.startMount([], 'mount-2')
  const show = async (): Promise<VolumeDetail> =>
    (await cluster.json(['volume', 'show', 'data'])) as VolumeDetail

  const first = await open(cluster.image('data'), WRITE)
  cluster.stopFirst(() => first.close())
  await write(first, 1)
  t.equal(await codeOf(open(cluster.image('data', 'mount-2'), WRITE)), 'EBUSY', 'a second writer')
  const words = ['attach', 'data', '--mount', cluster.mountPointOf('mount-2')]
  const refused = await cluster.run(words)
  t.equal(refused.code, 5, 'attach is refused')
  t.match(refused.stderr, /"data" is attached at host .* since 20.*--takeover/, 'and says by whom')
  t.equal((await cluster.run(['volume', 'delete', 'data'])).code, 5, 'it is not deleted either')
  t.equal((await show()).attachments.length, 1)

  const readOnly = await cluster.attach('mount-2', ['--read-only'])
  t.equal(await firstByte(readOnly), 1, 'others may read')
  await write(first, 2)
  t.equal(await firstByte(readOnly), 2, 'and see what is written at once')
  await cluster.json(['detach', readOnly])

  const device = await cluster.attach('mount-2', ['--takeover'])
  t.equal(await firstByte(device), 2)
  t.equal(await codeOf(write(first, 3)), 'EIO', 'the first one cannot write any more')
  await mustRun('dd', ['if=/dev/urandom', `of=${device}`, 'bs=1M', 'count=4', 'oflag=direct'])
  t.equal(await codeOf(write(first, 4)), 'EIO', 'nor later')
  const { change } = (await cluster.epochs('a')).findLast(e => e.kind === 'volume-attached')!
  t.match(change, /taken over from host/)
  await cluster.says('mount', /lost its access to volume data to host/)
  t.pass('its log says to whom')

  await cluster.json(['detach', device])
  t.deepEqual((await show()).attachments, [], 'detach gives it back before it returns')
  await codeOf(first.close())
  const again = await cluster.attach('mount')
  t.ok(again, 'the first one may have it again when it has closed it')
  await cluster.json(['detach', again])
  await eventually('it is free', async () => (await show()).attachments.length === 0)
})

test('a mount that was killed makes room on its host at once', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '64M', '--replicas', '3'])
  await cluster.startMount()
  await cluster.startMount([], 'mount-2')
  const first = await open(cluster.image('data'), WRITE)
  await write(first, 1)
  await cluster.kill('mount')
  await codeOf(first.close())
  const began = performance.now()
  const next = await open(cluster.image('data', 'mount-2'), WRITE)
  cluster.stopFirst(() => next.close())
  t.ok(performance.now() - began < 12_000, 'within seconds, without --takeover')
  await write(next, 2)
  t.equal(await firstByte(cluster.image('data', 'mount-2')), 2)
})

test('a mount that stands still, and wakes up after another has taken over', async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', '64M', '--replicas', '3'])
  await cluster.startMount()
  await cluster.startMount([], 'mount-2')
  // In a process of its own: whoever holds a file of a mount that stands still cannot even start
  // another process. It writes all of the image, block by block, and is in the middle of it.
  const direct = ['bs=4k', 'oflag=direct', 'conv=notrunc', 'status=none']
  const writer = runTool('dd', ['if=/dev/zero', `of=${cluster.image('data')}`, ...direct])
  await eventually('it writes', async () => {
    return ((await cluster.json(['volume', 'show', 'data'])) as VolumeDetail).attachments.length > 0
  })
  const stopped = cluster.pid('mount')
  process.kill(stopped, 'SIGSTOP')
  const wake = (): boolean => cluster.isRunning('mount') && process.kill(stopped, 'SIGCONT')
  cluster.stopFirst(wake)
  const device = await cluster.attach('mount-2', ['--takeover'])
  const whole = ['bs=1M', 'count=64', 'oflag=direct', 'status=none']
  await mustRun('dd', ['if=/dev/urandom', `of=${device}`, ...whole])
  // Past the cache of the loop device.
  const read = `dd if=${device} bs=1M iflag=direct status=none | sha256sum`
  const sum = (): Promise<string> => mustRun('sh', ['-c', read])
  const written = await sum()
  wake()
  const { code, stderr } = await writer
  t.equal(code, 1, 'the writer has failed')
  t.match(stderr, /Input\/output error/)
  t.equal(await sum(), written, 'nothing of it is there')
  await cluster.json(['detach', device])
})
