import { open } from 'node:fs/promises'
import test from 'tape'
import { systemClock } from '../../src/base/clock.js'
import { isSwarmdiskError, type ErrorCode } from '../../src/base/errors.js'
import { Tools } from '../../src/fuse/run-tool.js'

const tools = new Tools({ clock: systemClock })

async function failure(work: Promise<unknown>): Promise<{ code: ErrorCode; message: string }> {
  try {
    await work
  } catch (error) {
    if (isSwarmdiskError(error)) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error('it did not fail')
}

test('a tool that works, and one that fails', async t => {
  t.deepEqual(await tools.run('sh', ['-c', 'echo out; echo err >&2; exit 3']), {
    exitCode: 3,
    stdout: 'out\n',
    stderr: 'err\n',
  })
  t.equal(await tools.must('echo', ['a b']), 'a b\n')
  t.deepEqual(await failure(tools.must('sh', ['-c', 'echo first >&2; echo last >&2; exit 1'])), {
    code: 'environment',
    message: "'sh -c echo first >&2; echo last >&2; exit 1' failed: last",
  })
})

test('a tool that is missing', async t => {
  const { code, message } = await failure(tools.run('no-such-tool', []))
  t.equal(code, 'environment')
  t.match(message, /'no-such-tool' is missing: apt-get install -y no-such-tool/)
})

test('a tool that hangs', async t => {
  const started = systemClock.now()
  const { code, message } = await failure(tools.run('sleep', ['60'], 100))
  t.equal(code, 'io-timeout')
  t.match(message, /'sleep 60' did not end within 100 ms/)
  t.ok(systemClock.now() - started < 5_000, 'at its deadline')
})

test('a tool killed by somebody else has not succeeded', async t => {
  t.equal((await tools.run('sh', ['-c', 'kill -9 $$'])).exitCode, 128)
})

test('a tool that is given open files', async t => {
  const file = await open('/proc/self/comm', 'r')
  try {
    const words = ['-c', 'cat <&3 >&2; exit 7']
    const result = await tools.runWithFiles('sh', words, [file.fd])
    t.equal(result.exitCode, 7)
    t.ok(result.stderr.length > 0, 'it has read the file, as its descriptor 3')
    const error: unknown = await tools
      .runWithFiles('no-such-tool', [], [file.fd])
      .catch((caught: unknown) => caught)
    t.ok(isSwarmdiskError(error, 'environment'), 'a tool that is missing')
  } finally {
    await file.close()
  }
})
