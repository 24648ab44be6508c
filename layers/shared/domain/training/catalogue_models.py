"""What anyone may see of trainings: never how many bought one, nor the id or the content of a module (F-10)."""

from uuid import UUID

from pydantic import BaseModel, Field

from domain.orders.models import Cad
from domain.training.cta import CallToAction


class CategoryName(BaseModel):
    slug: str
    name_fr: str


class TrainingView(BaseModel):
    """`cta` is what the caller can do: the caller's cart and enrolments are looked at."""

    id: UUID
    slug: str
    title_fr: str
    description_fr: str
    category: CategoryName
    price_cad: Cad
    access_days: int = Field(description="Jours d'accès à partir du paiement")
    cta: CallToAction


class TrainingPage(BaseModel):
    items: list[TrainingView]
    next_cursor: str | None


class ModuleView(BaseModel):
    position: int
    title_fr: str


class TrainingDetail(TrainingView):
    modules: list[ModuleView] = Field(description="Le plan du cours")


class CategoryView(BaseModel):
    id: UUID
    slug: str
    name_fr: str
    description_fr: str
    training_count: int = Field(description="Cours publiés de cette catégorie")


class CategoryList(BaseModel):
    """All of them: there is no second page."""

    items: list[CategoryView]
    next_cursor: None = None
