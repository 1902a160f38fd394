import { expect, it } from '@jest/globals';
import { Get, Module } from '@nestjs/common';
import { accessProviders, Api, createHttpApp, createLogger, ForAnyone } from '../index.js';
import { verifyToken } from './things.fixture.js';

it('finishes the requests under way, and takes no others', async () => {
  let finish: () => void = () => undefined;
  let begun: () => void = () => undefined;
  const hold = new Promise<void>((resolve) => (finish = resolve));
  const started = new Promise<void>((resolve) => (begun = resolve));

  @Api('v1/slow')
  class SlowController {
    @Get() @ForAnyone() async slow() {
      begun();
      await hold;
      return { ok: true };
    }
  }
  @Module({})
  class SlowModule {}

  const module = {
    module: SlowModule,
    controllers: [SlowController],
    providers: accessProviders({ verifyToken }),
  };
  const log = createLogger('spec', 'silent');
  const app = await createHttpApp({ modules: [module], docs: [], log });
  const url = await app.listen(0, '127.0.0.1');
  const answer = fetch(`${url}/v1/slow`);
  await started;
  const closed = app.close();
  finish();
  expect(await (await answer).json()).toEqual({ ok: true });
  await closed;
  await expect(fetch(`${url}/health/live`)).rejects.toThrow();
  await app.close();
});
