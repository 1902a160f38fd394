import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Module, Post, Query, type Type } from '@nestjs/common';
import { formatEndpointCredential } from '@patchtrail/auth';
import {
  accessProviders,
  Api,
  Command,
  type CommandInput,
  createHttpApp,
  createLogger,
  For,
  ForAnyone,
} from '../index.js';
import {
  as,
  assertProblem,
  ENDPOINT,
  key,
  OTHER,
  plan,
  SECRET,
  serveThings,
  type Things,
  verifyToken,
} from './things.fixture.js';

let things: Things;
beforeAll(async () => {
  things = await serveThings();
});
afterAll(() => things.app.close());

const endpoint = (id: string, secret: string) => ({
  authorization: `Bearer ${formatEndpointCredential(id, secret)}`,
});

describe('a route for people', () => {
  const make = (headers: Record<string, string>) =>
    things.call('POST', '/v1/things', { ...key(), ...headers }, plan);

  it('lets the role in', async () => {
    expect((await make(as('platform-engineer'))).status).toBe(201);
  });

  it('names the role that is missing', async () => {
    const detail = 'This needs the role platform-engineer.';
    assertProblem(await make(as('auditor')), 403, 'forbidden', { detail });
  });

  it('takes any one of several roles', async () => {
    for (const role of ['auditor', 'approver']) {
      const answer = await things.call('GET', '/v1/things/whoami', as(role));
      expect(answer.body).toMatchObject({ kind: 'person', id: role });
    }
    const detail = 'This needs the role auditor or approver.';
    const answer = await things.call('GET', '/v1/things/whoami', as('platform-engineer'));
    assertProblem(answer, 403, 'forbidden', { detail });
  });

  it('asks who is there before it looks at what was sent', async () => {
    assertProblem(
      await things.call('POST', '/v1/things', {}, { bad: true }),
      401,
      'unauthenticated',
    );
  });

  it.each([
    ['nothing', {}],
    ['another scheme', { authorization: 'Basic YTpi' }],
    ['two tokens', { authorization: 'Bearer a b' }],
    ['no token', { authorization: 'Bearer ' }],
  ])('refuses %s', async (_, headers) => {
    const answer = await make(headers);
    assertProblem(answer, 401, 'unauthenticated');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="patchtrail"/);
  });

  it('says which claim of a token breaks its rule, and not the token', async () => {
    const answer = await make({ authorization: 'Bearer s3cr3t' });
    assertProblem(answer, 401, 'unauthenticated', { detail: 'exp is in the past.' });
    expect(answer.headers.get('www-authenticate')).toContain('"exp is in the past."');
    expect(JSON.stringify(answer.body)).not.toContain('s3cr3t');
  });

  it('does not take an endpoint for a person', async () => {
    assertProblem(await make(endpoint(ENDPOINT, SECRET)), 403, 'forbidden');
  });
});

describe('a route for endpoints', () => {
  const report = (id: string, headers: Record<string, string>) =>
    things.call('PUT', `/v1/things/${id}/report`, headers);

  it('lets an endpoint speak for itself', async () => {
    expect((await report(ENDPOINT, endpoint(ENDPOINT, SECRET))).body).toEqual({ ok: true });
  });

  it('refuses an endpoint that speaks for another', async () => {
    assertProblem(await report(OTHER, endpoint(ENDPOINT, SECRET)), 403, 'forbidden');
  });

  it('refuses a wrong secret, an unknown endpoint and a malformed credential alike', async () => {
    const detail = 'The endpoint credential is not valid here.';
    for (const headers of [
      endpoint(ENDPOINT, 'b'.repeat(43)),
      endpoint(OTHER, SECRET),
      { authorization: `Bearer ptep_${ENDPOINT}_short` },
    ]) {
      assertProblem(await report(ENDPOINT, headers), 401, 'unauthenticated', { detail });
    }
  });

  it('may have nothing to say', async () => {
    const headers = endpoint(ENDPOINT, SECRET);
    const nothing = await things.call('PUT', `/v1/things/${ENDPOINT}/lease`, headers);
    expect(nothing).toMatchObject({ status: 204, body: null });
    const something = await things.call('PUT', `/v1/things/${OTHER}/lease`, headers);
    expect(something).toMatchObject({ status: 200, body: { id: OTHER } });
  });

  it('does not take a person for an endpoint', async () => {
    const detail = 'Only an endpoint may do this.';
    assertProblem(await report(ENDPOINT, as('auditor')), 403, 'forbidden', { detail });
  });
});

describe('at start-up', () => {
  @Module({})
  class AnyModule {}

  const start = (controller: Type) => {
    const module = {
      module: AnyModule,
      controllers: [controller],
      providers: accessProviders({ verifyToken }),
    };
    return createHttpApp({ modules: [module], docs: [], log: createLogger('spec', 'silent') });
  };

  it('refuses a route that says nothing about access', async () => {
    @Api('v1/open')
    class OpenController {
      @Get(':id/leak') leak() {
        return {};
      }
    }
    await expect(start(OpenController)).rejects.toThrow(
      'GET /v1/open/:id/leak (OpenController.leak): needs exactly one of @For',
    );
  });

  it('refuses a route that says two things', async () => {
    @Api('v1/open:all')
    class TwiceController {
      @Get() @For('auditor') @ForAnyone() both() {
        return {};
      }
    }
    await expect(start(TwiceController)).rejects.toThrow('GET /v1/open:all (TwiceController.both)');
  });

  it('refuses a controller without the access check', async () => {
    @Controller('v1/bare')
    class BareController {
      @Get() @For('auditor') get() {
        return {};
      }
    }
    await expect(start(BareController)).rejects.toThrow('BareController.get): needs @Api');
  });

  it('refuses a POST without an idempotency key', async () => {
    @Api('v1/posts')
    class PostController {
      @Post() @For('auditor') post() {
        return {};
      }
    }
    await expect(start(PostController)).rejects.toThrow('a POST takes @Command()');
  });

  it('refuses bodies and queries that nobody checks', async () => {
    @Api('v1/loose')
    class LooseController {
      @Post() @For('auditor') post(@Body() body: unknown, @Command() command: CommandInput) {
        return { body, command };
      }
      @Get() @For('auditor') get(@Query('a') a: string) {
        return a;
      }
    }
    const refused = start(LooseController);
    await expect(refused).rejects.toThrow('its body needs a DTO class');
    await expect(refused).rejects.toThrow('its query needs a DTO class');
  });
});
