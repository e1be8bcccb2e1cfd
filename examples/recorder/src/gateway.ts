/** The service clients talk to. It calls the orders service and reshapes its answers. */
import { createServer } from 'node:http';
import express from 'express';
import { serve } from './child.js';

const orders = process.env.ORDERS_URL!;
const app = express();
app.use(express.json());

async function call(path: string, init?: RequestInit): Promise<{ status: number; body: any }> {
  const response = await fetch(orders + path, init);
  return { status: response.status, body: await response.json() };
}

app.get('/api/orders/:id', async (req, res) => {
  const { status, body } = await call(`/orders/${Number(req.params.id)}`);
  res.status(status).json(body);
});

app.get('/api/customers/:id/orders', async (req, res) => {
  const { status, body } = await call(`/customers/${Number(req.params.id)}/orders`);
  res.status(status).json({ customer: Number(req.params.id), count: body.length, orders: body });
});

app.get('/api/customers/:id/summary', async (req, res) => {
  const { status, body } = await call(`/customers/${Number(req.params.id)}/summary`);
  res.status(status).json({ customer: Number(req.params.id), months: body });
});

app.post('/api/orders', async (req, res) => {
  const { status, body } = await call('/orders', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(req.body),
  });
  res.status(status).json(body);
});

serve(createServer(app));
